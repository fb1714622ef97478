"""A JSON object as bytes with known places, so that parts of it can be replaced.

``read`` decodes the top level in C and then walks it member by member, which never needs a
JSON parser of ours. At each step the walk finds a key by a pattern and expects the bytes of
the decoder's next value. A JSON value can't begin another one, but for a number, which the
next step then does not find the end of: so each step stands at the body's next member, and
a duplicate key, which the decoder gives only once, leaves members that the walk has not seen.
Comparing lengths alone would not do: an inner object can be made to look like members.

Only the top level is looked at this way. Duplicate keys further down (inside a message, a
tool's schema or ``prism``) pass to the provider as they are: Prism reads the last one there,
as most parsers do, and decides nothing by them that the provider's reading could undo.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

_TOP_LEVEL = msgspec.json.Decoder(dict[str, msgspec.Raw])
# What comes before a member, its key, and what comes before its value. Whitespace is JSON's
# (RFC 8259, section 2).
_MEMBER = re.compile(
    rb'[ \t\n\r]*[{,][ \t\n\r]*("[^"\\]*+(?:\\.[^"\\]*+)*+")[ \t\n\r]*:[ \t\n\r]*', re.DOTALL
)
_OPEN = re.compile(rb"[ \t\n\r]*\{[ \t\n\r]*")
_CLOSE = re.compile(rb"[ \t\n\r]*\}[ \t\n\r]*\Z")
_HALF_PAIR = re.compile(rb"(?<!\\)(?:\\\\)*\\u[dD][89abAB]..(?!\\u[dD][c-fC-F])", re.DOTALL)
_SHOWN = 100
"""Characters of a key from a client that an error message repeats."""
_BOM = b"\xef\xbb\xbf"


class BadBody(ValueError):
    """The body can't be used. ``code`` is the error's code, ``param`` the member at fault."""

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param


class Member(msgspec.Struct, frozen=True, gc=False):
    """Where a top-level member lies: byte offsets of its key's quote and of its value.

    ``value`` is a view of the value's bytes in the body, no copy.
    """

    start: int
    value_start: int
    value_end: int
    value: msgspec.Raw


@dataclass(frozen=True, slots=True)
class Document:
    """A body and the places of its top-level members, in the order of the body."""

    body: bytes
    members: Mapping[str, Member]

    def value(self, name: str) -> msgspec.Raw | None:
        """The bytes of a member's value, or ``None`` where there is no such member."""
        member = self.members.get(name)
        return None if member is None else member.value


def read(body: bytes) -> Document:
    """Read a request body that must be one JSON object; raises ``BadBody``."""
    if not body:
        raise BadBody("empty_body", "The request has no body; send a JSON object.")
    if body.startswith(_BOM):
        raise BadBody(
            "byte_order_mark", "The body begins with a byte order mark; send plain UTF-8."
        )
    try:
        if not body.isascii():
            body.decode()
        raws = _TOP_LEVEL.decode(body)
    except UnicodeDecodeError as error:
        raise BadBody(
            "invalid_utf8", f"The body is not UTF-8: invalid byte at offset {error.start}."
        ) from None
    except RecursionError:
        raise BadBody("too_deep", "The body's JSON is nested too deeply.") from None
    except msgspec.ValidationError:
        raise BadBody("not_an_object", "The body must be a JSON object.") from None
    except msgspec.DecodeError as error:
        raise BadBody("invalid_json", f"The body is not valid JSON: {_why(body, error)}.") from None
    return Document(body, _places(body, raws))


def _places(body: bytes, raws: Mapping[str, msgspec.Raw]) -> dict[str, Member]:
    """Walk the top level; each step must find the bytes of the decoder's next value."""
    position = 0
    members: dict[str, Member] = {}
    for name, raw in raws.items():
        key = _MEMBER.match(body, position)
        if key is None or not body.startswith(raw, key.end()):
            raise _duplicate(body)
        start = key.end()
        position = start + len(memoryview(raw))
        members[name] = Member(key.start(1), start, position, raw)
    if not members:
        opened = _OPEN.match(body)
        position = opened.end() if opened else 0
    if _CLOSE.match(body, position) is None:
        raise _duplicate(body)
    return members


def _duplicate(body: bytes) -> BadBody:
    """The walk did not tile: some key is there twice; say which (not on the hot path)."""
    found: list[str] = []

    def pairs(items: list[tuple[str, object]]) -> dict[str, object]:
        # Called for inner objects first: the last call is the top level's.
        names = Counter(name for name, _ in items)
        found[:] = [name for name, count in names.items() if count > 1]
        return {}

    try:
        # Python's own parser is stricter with the length of a number and with the depth.
        json.loads(body, object_pairs_hook=pairs, parse_int=str)
    except (ValueError, RecursionError):
        found.clear()
    name = found[0][:_SHOWN] if found else None
    what = f"The key {name!r}" if name is not None else "A key"
    return BadBody(
        "duplicate_key",
        f"{what} is in the body twice; providers disagree on which one counts, so send it once.",
        name,
    )


def _why(body: bytes, error: msgspec.DecodeError) -> str:
    """The decoder's reason; half a surrogate pair it would call truncated data."""
    if "truncated" in str(error) and _HALF_PAIR.search(body):
        return "a string holds half of a surrogate pair (\\ud800 to \\udfff)"
    return str(error)


@dataclass(frozen=True, slots=True)
class Edited:
    """A body after editing. ``model_start`` and ``model_end`` bound the value of ``model``;
    both are 0 where the body has none."""

    body: bytes
    model_start: int
    model_end: int


def edit(document: Document, model: bytes, drop: str) -> Edited:
    """Put ``model`` (encoded JSON) in place of the value of ``model``, take out member ``drop``.

    Every other byte stays; a document without ``model`` gets none.
    """
    body, members = document.body, document.members
    place = members.get("model")
    if place is None:
        start, end = _cut(members, drop) if drop in members else (0, 0)
        return Edited(body[:start] + body[end:], 0, 0)
    # A view spares a copy of all that is not changed.
    view = memoryview(body)
    start = place.value_start
    if drop not in members:
        edited = b"".join((view[:start], model, view[place.value_end :]))
        return Edited(edited, start, start + len(model))
    cut_start, cut_end = _cut(members, drop)
    if cut_start < start:
        before: tuple[memoryview, ...] = (view[:cut_start], view[cut_end:start])
        after: tuple[memoryview, ...] = (view[place.value_end :],)
        start -= cut_end - cut_start
    else:
        before = (view[:start],)
        after = (view[place.value_end : cut_start], view[cut_end:])
    return Edited(b"".join((*before, model, *after)), start, start + len(model))


def _cut(members: Mapping[str, Member], name: str) -> tuple[int, int]:
    """The bytes to take out with a member: its own and one comma, the following if there is one."""
    member = members[name]
    names = list(members)
    index = names.index(name)
    if index + 1 < len(names):
        return member.start, members[names[index + 1]].start
    if index:
        return members[names[index - 1]].value_end, member.value_end
    return member.start, member.value_end
