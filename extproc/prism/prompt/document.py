"""A JSON object as bytes with known places, so that parts of it can be replaced.

``read`` decodes the top level in C and then walks it member by member. The walk must tile
the whole body; a duplicate key leaves a gap, and so is found without a JSON parser of ours.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

_TOP_LEVEL = msgspec.json.Decoder(dict[str, msgspec.Raw])
_KEY = msgspec.json.Decoder(str)
# JSON's whitespace (RFC 8259, section 2) around a member's key.
_OPEN = re.compile(rb"[ \t\n\r]*\{[ \t\n\r]*")
_MEMBER = re.compile(rb'("(?:[^"\\]|\\.)*+")[ \t\n\r]*:[ \t\n\r]*', re.DOTALL)
_COMMA = re.compile(rb"[ \t\n\r]*,[ \t\n\r]*")
_CLOSE = re.compile(rb"[ \t\n\r]*\}[ \t\n\r]*\Z")
_BOM = b"\xef\xbb\xbf"


class BadBody(ValueError):
    """The body can't be used. ``code`` is the error's code, ``param`` the member at fault."""

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param


@dataclass(frozen=True, slots=True)
class Member:
    """Where a top-level member lies: byte offsets of its key's quote and of its value."""

    start: int
    value_start: int
    value_end: int


@dataclass(frozen=True, slots=True)
class Document:
    """A body and the places of its top-level members, in the order of the body."""

    body: bytes
    members: Mapping[str, Member]

    def value(self, name: str) -> bytes | None:
        """The bytes of a member's value, or ``None`` where there is no such member."""
        member = self.members.get(name)
        return None if member is None else self.body[member.value_start : member.value_end]


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
        raise BadBody("invalid_json", f"The body is not valid JSON: {error}.") from None
    return Document(body, _places(body, raws))


def _places(body: bytes, raws: Mapping[str, msgspec.Raw]) -> dict[str, Member]:
    """Walk the top level; each step must land where the decoder's values say it does."""
    opened = _OPEN.match(body)
    position = opened.end() if opened else 0
    members: dict[str, Member] = {}
    for name, raw in raws.items():
        if members:
            comma = _COMMA.match(body, position)
            if comma is None:
                raise _duplicate(body)
            position = comma.end()
        key = _MEMBER.match(body, position)
        if key is None or _KEY.decode(key[1]) != name:
            raise _duplicate(body)
        value = bytes(raw)
        if not body.startswith(value, key.end()):
            raise _duplicate(body)
        members[name] = Member(position, key.end(), key.end() + len(value))
        position = key.end() + len(value)
    if _CLOSE.match(body, position) is None:
        raise _duplicate(body)
    return members


def _duplicate(body: bytes) -> BadBody:
    """The walk did not tile: some key is there twice; say which (not on the hot path)."""
    found: list[str] = []

    def pairs(items: list[tuple[str, object]]) -> dict[str, object]:
        # Called for inner objects first: the last call is the top level's.
        names = [name for name, _ in items]
        found[:] = [name for name in dict.fromkeys(names) if names.count(name) > 1]
        return {}

    json.loads(body, object_pairs_hook=pairs)
    name = found[0] if found else None
    what = f"The key {name!r}" if name is not None else "A key"
    return BadBody(
        "duplicate_key",
        f"{what} is in the body twice; providers disagree on which one counts, so send it once.",
        name,
    )


@dataclass(frozen=True, slots=True)
class Edited:
    """A body after editing. ``model_start`` and ``model_end`` bound the value of ``model``."""

    body: bytes
    model_start: int
    model_end: int


def edit(document: Document, model: bytes, drop: str) -> Edited:
    """Put ``model`` (encoded JSON) in place of the value of ``model``, take out member ``drop``.

    Every other byte stays. The document must have a member ``model``.
    """
    body = document.body
    place = document.members["model"]
    if drop not in document.members:
        edited = b"".join((body[: place.value_start], model, body[place.value_end :]))
        return Edited(edited, place.value_start, place.value_start + len(model))
    cut_start, cut_end = _cut(document, drop)
    if cut_end <= place.value_start:
        start = place.value_start - (cut_end - cut_start)
        parts = (
            body[:cut_start],
            body[cut_end : place.value_start],
            model,
            body[place.value_end :],
        )
    else:
        start = place.value_start
        parts = (body[:start], model, body[place.value_end : cut_start], body[cut_end:])
    return Edited(b"".join(parts), start, start + len(model))


def _cut(document: Document, name: str) -> tuple[int, int]:
    """The bytes to take out with a member: its own and one comma, the following if there is one."""
    member = document.members[name]
    names = list(document.members)
    index = names.index(name)
    if index + 1 < len(names):
        return member.start, document.members[names[index + 1]].start
    if index:
        return document.members[names[index - 1]].value_end, member.value_end
    return member.start, member.value_end
