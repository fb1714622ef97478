"""Which conversation a chat request belongs to, and where that one stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from prism.prompt.chat import Message, Part

OPENING_CHARS = 2000
"""Of the system prompt, and of the first turn of the user: enough to tell conversations apart."""
_SYSTEM = ("system", "developer")
_RESULTS = ("tool", "function")
_SEALS = (b'"encrypted_content"', b'"signature"', b'"reasoning.encrypted"', b'"redacted_thinking"')
NOTHING = msgspec.Raw(b"")
"""The value of a member that is not there."""
_EMPTY = (b"", b"null", b"[]", b'""')


@dataclass(frozen=True, slots=True)
class Standing:
    """``goes_on``: there was an answer before. ``tools_at_work``: the last turn of the user is
    still being worked on with tools. ``sealed``: an answer has reasoning in it that only the
    provider that wrote it can read."""

    goes_on: bool = False
    tools_at_work: bool = False
    sealed: bool = False


FIRST = Standing()


def opening(messages: Sequence[Message]) -> str:
    """What tells one conversation from another: how system prompt and first turn of the user
    begin, and how long they are. Empty where that turn has no text."""
    system = ""
    for message in messages:
        if message.role == "user":
            user = _text(message.content)
            if not user:
                return ""
            heads = system[:OPENING_CHARS], user[:OPENING_CHARS]
            return f"{len(system)} {len(user)}\n{heads[0]}\n{heads[1]}"
        if message.role in _SYSTEM:
            system += _text(message.content)
    return ""


def standing(messages: Sequence[Message]) -> Standing:
    """Where the conversation stands."""
    answers = [message for message in messages if message.role == "assistant"]
    if not answers:
        return FIRST
    return Standing(True, _tools_at_work(messages), any(map(_sealed, answers)))


def _tools_at_work(messages: Sequence[Message]) -> bool:
    for message in reversed(messages):
        if message.role == "user":
            # Anthropic's API has results of tools among the parts of the user's turn.
            return _has_part(message.content, "tool_result")
        if message.role in _RESULTS or not _nothing(message.tool_calls):
            return True
        if _has_part(message.content, "tool_use"):
            return True
    return False


def _has_part(content: str | list[Part] | None, kind: str) -> bool:
    return isinstance(content, list) and any(part.type == kind for part in content)


def _sealed(message: Message) -> bool:
    if not _nothing(message.encrypted_content):
        return True
    for raw in (message.thinking_blocks, message.reasoning_details):
        if not _nothing(raw) and any(seal in bytes(raw) for seal in _SEALS):
            return True
    content = message.content
    return isinstance(content, list) and any(map(_sealed_part, content))


def _sealed_part(part: Part) -> bool:
    if part.type == "redacted_thinking":
        return True
    return part.type in ("thinking", "reasoning") and not (
        _nothing(part.signature) and _nothing(part.encrypted_content)
    )


def _nothing(raw: msgspec.Raw) -> bool:
    # Looking at it costs ten times as much as seeing that it is not there.
    return raw is NOTHING or (len(memoryview(raw)) <= len(b"null") and bytes(raw) in _EMPTY)


def _text(content: str | list[Part] | None) -> str:
    if isinstance(content, str):
        return content
    return "\n".join([part.text for part in content or () if part.text])
