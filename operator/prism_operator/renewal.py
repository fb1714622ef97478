"""What the certificates of a gateway's parts should be, given what they are.

All are signed by one authority whose key is thrown away once it has signed: nothing can be
signed by it later, and there is no key to guard. So renewing takes two turns. In the first a new
authority signs all certificates anew, they are laid beside those in use, and everyone is told to
trust both authorities. In the second, once that has spread, they take their place. At no moment
does one part hold what another does not trust.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from prism_operator.authority import Pair, new_authority, new_leaf

Content = Mapping[str, bytes]
"""The entries of a Secret."""

CERTIFICATE, KEY, AUTHORITIES = "tls.crt", "tls.key", "ca.crt"
NEXT_CERTIFICATE, NEXT_KEY = "next.crt", "next.key"
_NAME = "prism"


@dataclass(frozen=True, slots=True)
class Part:
    """Whose certificate it is: its names, and whether it calls or is called."""

    names: tuple[str, ...]
    client: bool = False


@dataclass(frozen=True, slots=True)
class Terms:
    """How long certificates are valid, and how long a new authority is left to spread before
    something that it signed is used (a mounted Secret is renewed within about two minutes)."""

    validity: timedelta = timedelta(days=90)
    spread: timedelta = timedelta(hours=1)


def renew(
    parts: Mapping[str, Part], held: Mapping[str, Content], now: datetime, terms: Terms
) -> dict[str, dict[str, bytes]]:
    """The contents of every Secret by its name. ``held`` has those that exist; a Secret of the
    result that equals the held one needs no writing. ``now`` has a time zone."""
    contents = {name: dict(held.get(name, {})) for name in parts}
    for content in contents.values():
        _promote(content, now, terms.spread)
    missing = {name for name in parts if not _good(contents[name], parts[name], now)}
    if not missing and not any(_old(content, now) for content in contents.values()):
        return contents
    # It lives exactly as long as what it signs.
    authority = new_authority(_NAME, now, terms.validity)
    for name, part in parts.items():
        leaf = new_leaf(authority, part.names, part.client, now, terms.validity)
        # What works is left to work until everyone trusts the new authority.
        entries = (CERTIFICATE, KEY) if name in missing else (NEXT_CERTIFICATE, NEXT_KEY)
        contents[name].update(zip(entries, (leaf.certificate, leaf.key), strict=True))
    trusted = _trusted(authority, contents.values(), now)
    return {name: {**content, AUTHORITIES: trusted} for name, content in contents.items()}


def _promote(content: dict[str, bytes], now: datetime, spread: timedelta) -> None:
    """Take the next certificate into use, once everyone has had time to trust its authority."""
    following = _pair(content, NEXT_CERTIFICATE, NEXT_KEY)
    if following is None:
        content.pop(NEXT_CERTIFICATE, None)
        content.pop(NEXT_KEY, None)
    elif now - following.made >= spread:
        content[CERTIFICATE] = content.pop(NEXT_CERTIFICATE)
        content[KEY] = content.pop(NEXT_KEY)


def _good(content: Content, part: Part, now: datetime) -> bool:
    """Whether the certificate in use can stay for now."""
    pair = _pair(content, CERTIFICATE, KEY)
    if pair is None or pair.left(now) <= 0 or set(pair.names) != set(part.names):
        return False
    return any(pair.signed_by(one) for one in _parsed(content.get(AUTHORITIES, b"")))


def _old(content: Content, now: datetime) -> bool:
    """Whether less than a third of the validity is left, and nothing is under way."""
    pair = _pair(content, CERTIFICATE, KEY)
    waiting = _pair(content, NEXT_CERTIFICATE, NEXT_KEY) is not None
    return pair is not None and pair.left(now) < 1 / 3 and not waiting


def _pair(content: Content, certificate: str, key: str) -> Pair | None:
    """A certificate and its key, if they are there and belong together."""
    pair = Pair(content.get(certificate, b""), content.get(key, b""))
    return pair if pair.fits else None


def _trusted(authority: Pair, contents: Iterable[Content], now: datetime) -> bytes:
    """The new authority and those that were trusted anywhere and are still valid."""
    found = {authority.certificate: None}
    for content in contents:
        for one in _parsed(content.get(AUTHORITIES, b"")):
            if one.not_valid_after_utc > now:
                found.setdefault(one.public_bytes(Encoding.PEM))
    return b"".join(found)


def _parsed(authorities: bytes) -> Sequence[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(authorities)
    except ValueError:
        return ()
