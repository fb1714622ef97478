"""What tells conversations apart, and where one stands."""

from __future__ import annotations

import json
from typing import Any

import pytest

from prism.prompt.chat import read_chat
from prism.prompt.document import read
from prism.prompt.standing import FIRST, OPENING_CHARS, Standing

SEALED = Standing(True, sealed=True)
USER = {"role": "user", "content": "hi"}
ANSWER = {"role": "assistant", "content": "hello"}
CALL = {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function"}]}
RESULT = {"role": "tool", "tool_call_id": "1", "content": "42"}


def chat(*messages: dict[str, Any]) -> Any:
    return read_chat(read(json.dumps({"model": "auto", "messages": messages}).encode()))


def parts(*found: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": list(found)}


CASES: list[tuple[str, list[dict[str, Any]], Standing]] = [
    ("first", [USER], FIRST),
    ("system-and-user", [{"role": "system", "content": "be kind"}, USER], FIRST),
    ("two-user-turns", [USER, USER], FIRST),
    ("goes-on", [USER, ANSWER, USER], Standing(True)),
    ("prefilled", [USER, ANSWER], Standing(True)),
    ("null-calls", [USER, {**ANSWER, "tool_calls": None}], Standing(True)),
    ("no-calls", [USER, {**ANSWER, "tool_calls": []}], Standing(True)),
    ("tools", [USER, CALL, RESULT], Standing(True, True)),
    ("calls-only", [USER, CALL], Standing(True, True)),
    ("old-function", [USER, ANSWER, {"role": "function", "content": "42"}], Standing(True, True)),
    ("tools-before", [USER, CALL, RESULT, ANSWER, USER], Standing(True)),
    (
        "results-as-anthropic-has-them",
        [USER, ANSWER, {"role": "user", "content": [{"type": "tool_result", "content": "42"}]}],
        Standing(True, True),
    ),
    ("calls-as-anthropic-has-them", [USER, parts({"type": "tool_use"})], Standing(True, True)),
    ("answer-after-tools", [USER, CALL, RESULT, ANSWER], Standing(True, True)),
    (
        "redacted",
        [USER, parts({"type": "redacted_thinking", "data": "x"})],
        SEALED,
    ),
    (
        "signed",
        [USER, parts({"type": "thinking", "thinking": "t", "signature": "s"}), USER],
        SEALED,
    ),
    ("unsigned", [USER, parts({"type": "thinking", "thinking": "t"})], Standing(True)),
    (
        "encrypted-part",
        [USER, parts({"type": "reasoning", "encrypted_content": "x"})],
        SEALED,
    ),
    (
        "encrypted-message",
        [USER, {**ANSWER, "encrypted_content": "x"}],
        SEALED,
    ),
    (
        "thinking-blocks",
        [USER, {**ANSWER, "thinking_blocks": [{"type": "thinking", "signature": "s"}]}],
        SEALED,
    ),
    (
        "details",
        [USER, {**ANSWER, "reasoning_details": [{"type": "reasoning.encrypted", "data": "x"}]}],
        SEALED,
    ),
    (
        "details-in-the-clear",
        [USER, {**ANSWER, "reasoning_details": [{"type": "reasoning.text", "text": "x"}]}],
        Standing(True),
    ),
    (
        "a-user-cannot-seal",
        [{"role": "user", "content": '"encrypted_content"'}, ANSWER, USER],
        Standing(True),
    ),
]


@pytest.mark.parametrize(("name", "messages", "stands"), CASES, ids=[c[0] for c in CASES])
def test_where_it_stands(name: str, messages: list[dict[str, Any]], stands: Standing) -> None:
    assert chat(*messages).standing == stands


def test_the_opening_is_the_same_on_every_turn_and_bounded() -> None:
    system = {"role": "system", "content": "s" * 10_000}
    first = chat(system, USER).opening
    assert first
    assert len(first) < 2 * OPENING_CHARS
    assert chat(system, USER, ANSWER, {"role": "user", "content": "more"}).opening == first
    for other in (
        [USER],
        [{"role": "system", "content": "s" * 10_001}, USER],
        [system, {"role": "user", "content": "hi!"}],
    ):
        assert chat(*other).opening != first


def test_text_in_parts_is_text() -> None:
    one = chat({"role": "user", "content": [{"type": "text", "text": "hi"}]})
    assert one.opening == chat(USER).opening


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "assistant", "content": "hello"}],
        [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}],
        [{"role": "user", "content": ""}],
        [{"role": "system", "content": "s"}],
    ],
)
def test_without_words_of_the_user_it_is_no_conversation(messages: list[dict[str, Any]]) -> None:
    assert chat(*messages).opening == ""
