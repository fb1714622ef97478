"""Anthropic's Messages: what the decision reads of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from prism.prompt.chat import read_chat
from prism.prompt.document import BadBody, read
from prism.prompt.messages import read_message_request
from prism.prompt.standing import Standing
from prism.routing.catalog import Capability


def document(**members: Any) -> Any:
    asked = {"model": "auto", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]}
    return read(json.dumps({**asked, **members}).encode())


def user(*blocks: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(blocks)}]


IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}
TEXT = {"type": "text", "text": "what is it?"}
TOOL = {"name": "look", "input_schema": {"type": "object"}}


@pytest.mark.parametrize(
    ("members", "needs"),
    [
        ({}, set()),
        ({"tools": [TOOL]}, {Capability.TOOLS}),
        ({"tools": []}, set()),
        ({"messages": user(IMAGE, TEXT)}, {Capability.VISION}),
        (
            {"messages": user({"type": "tool_result", "tool_use_id": "t", "content": [IMAGE]})},
            {Capability.VISION},
        ),
        (
            {"messages": user({"type": "document", "source": {"type": "base64"}})},
            {Capability.VISION},
        ),
        ({"messages": user({"type": "document", "source": {"type": "text"}})}, set()),
        ({"output_config": {"format": {"type": "json_schema"}}}, {Capability.JSON_SCHEMA}),
        ({"output_format": {"type": "json_schema"}}, {Capability.JSON_SCHEMA}),
        ({"output_config": {"effort": "high"}}, set()),
    ],
)
def test_what_a_request_needs(members: dict[str, Any], needs: set[Capability]) -> None:
    assert read_message_request(document(**members)).needs == needs


@pytest.mark.parametrize(
    ("members", "acts"),
    [
        ({"tools": [TOOL]}, False),
        ({"tools": [{"type": "custom", **TOOL}]}, False),
        ({"tools": [{"type": "bash_20250124", "name": "bash"}]}, False),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, True),
        ({"mcp_servers": []}, False),
        ({"mcp_servers": [{"type": "url"}]}, True),
        ({"container": None}, False),
        ({"container": "c1"}, True),
    ],
)
def test_what_acts_at_the_provider(members: dict[str, Any], acts: bool) -> None:
    assert read_message_request(document(**members)).acts_at_provider is acts


def test_the_classifier_sees_what_the_user_says_and_no_tool() -> None:
    turns = [
        {"role": "user", "content": "Fix the bug in the parser, please, it fails on empty input."},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "look"}]},
        *user({"type": "tool_result", "tool_use_id": "t", "content": "secret file"}),
    ]
    found = read_message_request(document(messages=turns, system="You are a bot."))
    assert found.text == turns[0]["content"]


def test_tokens_are_counted_wherever_they_are() -> None:
    long = "x" * 4000
    places: list[dict[str, Any]] = [
        {"system": long},
        {"system": [{"type": "text", "text": long}]},
        {"messages": [{"role": "user", "content": long}]},
        {"messages": user({"type": "text", "text": long})},
        {"messages": user({"type": "tool_result", "tool_use_id": "t", "content": long})},
        {"messages": user({"type": "tool_use", "id": "t", "name": "n", "input": {"a": long}})},
        {"messages": user({"type": "new_block", "content": {"a": long}})},
        {"tools": [{**TOOL, "description": long}]},
    ]
    for members in places:
        assert 1000 <= read_message_request(document(**members)).input_tokens < 1100, members


def test_stream_and_ceiling() -> None:
    found = read_message_request(document(stream=True))
    assert (found.stream, found.max_output_tokens) == (True, 100)


def test_no_answer_at_all_may_be_asked_for() -> None:
    # It fills the provider's cache.
    assert read_message_request(document(max_tokens=0)).max_output_tokens == 0


@pytest.mark.parametrize(
    ("members", "code", "place"),
    [
        ({"messages": []}, "no_messages", "messages"),
        ({"messages": "hi"}, "invalid_type", "messages"),
        ({"messages": [{"content": "hi"}]}, "invalid_type", "messages[0]"),
        ({"messages": [{"role": "user", "content": None}]}, "invalid_type", "messages[0].content"),
        ({"messages": user({"type": "text", "text": 1})}, "invalid_type", "messages[0].content[0]"),
        ({"system": 1}, "invalid_type", "system"),
        ({"tools": {}}, "invalid_type", "tools"),
        ({"tools": ["look"]}, "invalid_type", "tools"),
        ({"max_tokens": -1}, "invalid_max_tokens", "max_tokens"),
        ({"stream": "yes"}, "invalid_type", "stream"),
        ({"output_config": []}, "invalid_type", "output_config"),
    ],
)
def test_what_cannot_be_read_is_named(members: dict[str, Any], code: str, place: str) -> None:
    with pytest.raises(BadBody) as caught:
        read_message_request(document(**members))
    assert caught.value.code == code
    assert place in caught.value.message


def test_messages_may_not_be_left_out() -> None:
    with pytest.raises(BadBody, match="missing"):
        read_message_request(read(b'{"model": "auto"}'))


def conversation(*messages: dict[str, Any], **members: Any) -> Any:
    return read_message_request(document(messages=list(messages), **members))


ASK = {"role": "user", "content": "hi"}
ANSWER = {"role": "assistant", "content": [{"type": "text", "text": "hello"}]}
CALL = {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "look"}]}
RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t"}]}
THOUGHT = {"type": "thinking", "thinking": "t", "signature": "s"}


@pytest.mark.parametrize(
    ("messages", "standing"),
    [
        ([ASK], Standing()),
        ([ASK, ANSWER, ASK], Standing(True)),
        ([ASK, CALL, RESULT], Standing(True, True)),
        ([ASK, CALL, RESULT, ANSWER, ASK], Standing(True)),
        ([ASK, {"role": "assistant", "content": [THOUGHT]}, ASK], Standing(True, sealed=True)),
        ([ASK, {"role": "assistant", "content": [{**THOUGHT, "signature": ""}]}], Standing(True)),
    ],
)
def test_where_a_conversation_stands(messages: list[dict[str, Any]], standing: Standing) -> None:
    assert conversation(*messages).standing == standing


def test_a_conversation_is_told_by_its_system_prompt_and_first_turn() -> None:
    first = conversation(ASK, system="be kind").opening
    assert first
    blocks = [{"type": "text", "text": "be kind"}]
    assert conversation(ASK, ANSWER, ASK, system=blocks).opening == first
    assert conversation(ASK).opening != first
    assert conversation({**ASK, "content": "hi there"}, system="be kind").opening != first
    # As OpenAI's API has it, it is the same conversation.
    chat = [{"role": "system", "content": "be kind"}, ASK]
    assert read_chat(document(messages=chat)).opening == first
