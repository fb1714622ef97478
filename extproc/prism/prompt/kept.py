"""What is kept of a prompt, for projects that ask for it: its words, cut to a bounded length."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from prism.prompt.document import BadBody, read
from prism.routing.catalog import Prompts

HEAD, TAIL = 4_000, 12_000
"""Characters kept of a longer prompt: of its beginning, and of its end, where the last turn is."""
_CUT = "\n[…]\n"
_MEMBERS = ("system", "instructions", "messages", "input", "prompt")
"""Where the APIs have words: Chat Completions, Messages, Responses, and the oldest one."""
_WORDS = ("text", "content", "output", "arguments")
"""Members of a message or of its parts that hold words; pictures and sounds are elsewhere."""
_DEEPEST = 8


@dataclass(frozen=True, slots=True)
class Prompt:
    """A request's body, to be kept as ``how`` says. It is shown nowhere, not even by ``repr``."""

    decision_id: str
    how: Prompts
    body: bytes = field(repr=False)


def words_of(body: bytes) -> str:
    """The words of a request, each message after its role; empty where there are none."""
    try:
        members = read(body).members
    except BadBody:
        return ""
    found = [
        words
        for name in _MEMBERS
        if name in members and (words := _words_of_member(name, members[name].value))
    ]
    return _cut("\n\n".join(found))


def _words_of_member(name: str, raw: msgspec.Raw) -> str:
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return ""
    if isinstance(value, list):
        return "\n\n".join(filter(None, (_turn(one, "user") for one in value)))
    return _turn(value, "system" if name in ("system", "instructions") else "user")


def _turn(value: Any, role: str) -> str:
    words = "\n".join(_words(value, 0))
    if isinstance(value, dict) and isinstance(value.get("role"), str):
        role = value["role"]
    return f"{role}: {words}" if words else ""


def _words(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif depth > _DEEPEST:
        return
    elif isinstance(value, list):
        for one in value:
            yield from _words(one, depth + 1)
    elif isinstance(value, dict):
        for name in _WORDS:
            if name in value:
                yield from _words(value[name], depth + 1)


def _cut(text: str) -> str:
    """No word is cut in two: half a key would not be known for one."""
    if len(text) <= HEAD + TAIL:
        return text
    head, tail = text[:HEAD], text[-TAIL:]
    return head[: _last_space(head)] + _CUT + tail[_first_space(tail) :]


def _last_space(text: str) -> int:
    return max(text.rfind(" "), text.rfind("\n"), 0)


def _first_space(text: str) -> int:
    found = [place for place in (text.find(" "), text.find("\n")) if place >= 0]
    return min(found, default=len(text))
