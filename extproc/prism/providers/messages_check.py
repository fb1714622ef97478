"""What Anthropic's Messages refuse in a conversation.

The rules and the words are those of Anthropic's API as clients report them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Protocol

from prism.providers.ask import Refusal

_ROLES = ("user", "assistant", "system")
_ID = re.compile(r"^[a-zA-Z0-9_-]+$")


class Turn(Protocol):
    """One turn of a conversation."""

    @property
    def role(self) -> str: ...
    @property
    def content(self) -> str | list[dict[str, Any]]: ...


def check(turns: Sequence[Turn], system: str | list[dict[str, Any]] | None) -> None:
    """Refuse a conversation that Anthropic's API would refuse.

    Raises:
        Refusal: saying where.
    """
    if not turns:
        raise _wrong("messages: at least one message is required")
    if turns[0].role != "user":
        raise _wrong('messages: first message must use the "user" role')
    _check_texts(system, "system")
    open_calls: list[str] = []
    for index, turn in enumerate(turns):
        if turn.role not in _ROLES:
            raise _wrong(f"messages.{index}.role: Input should be 'user', 'assistant' or 'system'")
        last_answer = turn.role == "assistant" and index == len(turns) - 1
        if not turn.content and not last_answer:
            raise _empty(index)
        _check_texts(turn.content, f"messages.{index}.content")
        open_calls = _check_results(turn, index, open_calls)
    if open_calls:
        raise _without_result(len(turns) - 1, open_calls)


def _check_texts(content: str | list[dict[str, Any]] | None, path: str) -> None:
    if isinstance(content, str):
        return
    for index, block in enumerate(content or ()):
        if block.get("type") == "text" and not str(block.get("text", "")).strip():
            raise _wrong(f"{path}.{index}.text: text content blocks must be non-empty")


def _check_results(turn: Turn, index: int, open_calls: list[str]) -> list[str]:
    """Each call must have its result in the next turn, before all else; the calls still open."""
    blocks = turn.content if isinstance(turn.content, list) else []
    results = [block for block in blocks if block.get("type") == "tool_result"]
    if turn.role == "user":
        for result in results:
            if result.get("tool_use_id") not in open_calls:
                raise _unexpected(index, result.get("tool_use_id"))
        if blocks[: len(results)] != results:
            raise _wrong(f"messages.{index}: tool_result blocks must come first in the content")
    given = [result.get("tool_use_id") for result in results]
    left = [call for call in open_calls if call not in given]
    if left:
        raise _without_result(index, left)
    return _calls(blocks, index) if turn.role == "assistant" else []


def _calls(blocks: list[dict[str, Any]], index: int) -> list[str]:
    ids = [str(block.get("id", "")) for block in blocks if block.get("type") == "tool_use"]
    for each in ids:
        if not _ID.match(each):
            wanted = "String should match pattern '^[a-zA-Z0-9_-]+$'"
            raise _wrong(f"messages.{index}.content.tool_use.id: {wanted}")
    return ids


def _empty(index: int) -> Refusal:
    return _wrong(
        f"messages.{index}: all messages must have non-empty content except for the optional "
        "final assistant message"
    )


def _unexpected(index: int, call: object) -> Refusal:
    return _wrong(
        f"messages.{index}: unexpected `tool_use_id` found in `tool_result` blocks: {call}. Each "
        "`tool_result` block must have a corresponding `tool_use` block in the previous message."
    )


def _without_result(index: int, calls: list[str]) -> Refusal:
    return _wrong(
        f"messages.{index}: `tool_use` ids were found without `tool_result` blocks immediately "
        f"after: {', '.join(calls)}."
    )


def _wrong(message: str) -> Refusal:
    return Refusal(400, message)
