"""Who may look: a token wherever others than this machine could, and no other site's pages.

On loopback alone no token is needed; then only requests that name this machine are answered, so
that a page from elsewhere can't reach the console through a name of its own (DNS rebinding).
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

log = logging.getLogger(__name__)

COOKIE = "prism-console"
LEAST_TOKEN = 16
"""Characters that a token has at least: shorter ones can be guessed."""
SESSION_S = 12 * 3600
"""Seconds that a browser is believed after its token was."""
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


class NoToken(Exception):
    """The console may not listen where it is told to; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Token:
    """The token: given, or in a file that is read each time, so that it can be changed."""

    value: str = ""
    file: Path | None = None

    def read(self) -> str:
        """Raises ``NoToken`` where there is none, or one that is too short."""
        try:
            text = self.value if self.file is None else self.file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise NoToken(f"the console's token can't be read: {error}") from None
        if len(text) < LEAST_TOKEN:
            raise NoToken(f"the console's token must have at least {LEAST_TOKEN} characters")
        return text


def loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@dataclass(frozen=True, slots=True)
class Access:
    """``token`` of ``None`` lets everybody in who asks from this machine. ``clock`` gives seconds
    since the epoch."""

    token: Token | None
    clock: Callable[[], float] = time.time

    @classmethod
    def where(cls, host: str, token: Token | None) -> Access:
        """For a console that listens at ``host``. Raises ``NoToken`` where it must have a token and
        has none."""
        if token is not None:
            token.read()
        elif not loopback(host):
            raise NoToken(
                f"at {host} the console can be reached from other machines and needs a token: give "
                "--console-token FILE or PRISM_CONSOLE_TOKEN, or let it listen at 127.0.0.1"
            )
        return cls(token)

    def host_allowed(self, host: str) -> bool:
        """Whether a request may have this ``Host``; with a token, any."""
        return self.token is not None or (urlsplit(f"//{host}").hostname or "") in _LOCAL

    def right(self, said: str) -> bool:
        """Whether this is the token."""
        token = self._read()
        return bool(token) and hmac.compare_digest(said.encode(), token.encode())

    def allowed(self, headers: Mapping[str, str], cookie: str | None) -> bool:
        """Whether a request may see the console: by its cookie, or ``Authorization: Bearer``."""
        if self.token is None:
            return True
        kind, _, said = headers.get("Authorization", "").partition(" ")
        if kind.lower() == "bearer" and said:
            return self.right(said.strip())
        end, _, proof = (cookie or "").partition(".")
        token = self._read()
        if not token or not end.isascii() or not end.isdigit() or len(end) > 12:
            return False
        believed = hmac.compare_digest(proof.encode(), _proof(token, end).encode())
        return believed and int(end) > self.clock()

    def cookie(self) -> str:
        """What a browser that knew the token shows from now on: it ends by itself, and with the
        token. The token is not in it."""
        end = str(round(self.clock()) + SESSION_S)
        return f"{end}.{_proof(self._read(), end)}"

    def _read(self) -> str:
        if self.token is None:
            return ""
        try:
            return self.token.read()
        except NoToken as error:
            log.error("nobody is let into the console: %s", error)
            return ""


def _proof(token: str, end: str) -> str:
    return hmac.new(token.encode(), f"{COOKIE} {end}".encode(), hashlib.sha256).hexdigest()
