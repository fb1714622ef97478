"""OpenAI's Responses: what the decision reads of them, and what only one provider understands."""

from __future__ import annotations

import json
from typing import Any

import pytest

from prism.prompt.document import BadBody, read
from prism.prompt.responses import bound_by, read_response_request
from prism.routing.catalog import Capability


def document(**members: Any) -> Any:
    return read(json.dumps({"model": "auto", "input": "hi", **members}).encode())


def said(*parts: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"type": "message", "role": "user", "content": list(parts)}]


IMAGE = {"type": "input_image", "image_url": "data:image/png;base64,AA=="}
TOOL = {"type": "function", "name": "look", "parameters": {}}
SCHEMA = {"format": {"type": "json_schema", "name": "n", "schema": {}}}


@pytest.mark.parametrize(
    ("members", "needs"),
    [
        ({}, set()),
        ({"tools": [TOOL]}, {Capability.TOOLS}),
        ({"input": said(IMAGE)}, {Capability.VISION}),
        ({"text": SCHEMA}, {Capability.JSON_SCHEMA}),
        ({"text": {"verbosity": "low"}}, set()),
    ],
)
def test_what_a_request_needs(members: dict[str, Any], needs: set[Capability]) -> None:
    found = read_response_request(document(**members))
    assert found.needs == {Capability.RESPONSES, *needs}


@pytest.mark.parametrize(
    ("members", "acts"),
    [
        ({}, True),  # answers are stored unless asked not to be
        ({"store": False}, False),
        ({"store": False, "background": True}, True),
        ({"store": False, "tools": [TOOL]}, False),
        ({"store": False, "tools": [{"type": "web_search"}]}, True),
    ],
)
def test_what_acts_at_the_provider(members: dict[str, Any], acts: bool) -> None:
    assert read_response_request(document(**members)).acts_at_provider is acts


def test_the_classifier_sees_the_last_user_turn() -> None:
    turns = [
        {"role": "developer", "content": "You are a bot."},
        *said({"type": "input_text", "text": "Explain the proof of Gödel's second theorem to me."}),
        {"type": "function_call", "call_id": "c", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "secret"},
    ]
    assert read_response_request(document(input=turns)).text.startswith("Explain the proof")
    assert read_response_request(document(input="plain")).text == "plain"


def test_tokens_are_counted_wherever_they_are() -> None:
    long = "x" * 4000
    places: list[dict[str, Any]] = [
        {"input": long},
        {"input": said({"type": "input_text", "text": long})},
        {"input": [{"role": "user", "content": long}]},
        {"input": [{"type": "function_call_output", "call_id": "c", "output": long}]},
        {"input": [{"type": "function_call", "name": "n", "arguments": long}]},
        {"instructions": long},
        {"tools": [{**TOOL, "description": long}]},
    ]
    for members in places:
        assert 1000 <= read_response_request(document(**members)).input_tokens < 1100, members


@pytest.mark.parametrize(
    ("members", "place"),
    [
        ({}, None),
        ({"previous_response_id": None}, None),
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": {"id": "c"}}, "conversation"),
        ({"prompt": {"id": "p"}}, "prompt"),
        ({"input": [{"type": "item_reference", "id": "m"}]}, "input[0]"),
        (
            {"input": [{"type": "reasoning", "encrypted_content": "gAAA"}]},
            "input[0].encrypted_content",
        ),
        ({"input": [{"type": "reasoning", "encrypted_content": None}]}, None),
        ({"input": said({"type": "input_file", "file_id": "f"})}, "input[0].content"),
    ],
)
def test_what_binds_a_request_to_one_provider(members: dict[str, Any], place: str | None) -> None:
    assert bound_by(document(**members)) == place


@pytest.mark.parametrize(
    ("members", "code", "place"),
    [
        ({"input": []}, "no_messages", "input"),
        ({"input": 1}, "invalid_type", "input"),
        ({"input": ["hi"]}, "invalid_type", "input[0]"),
        ({"instructions": []}, "invalid_type", "instructions"),
        ({"tools": {}}, "invalid_type", "tools"),
        ({"text": "json"}, "invalid_type", "text"),
        ({"max_output_tokens": 0}, "invalid_max_tokens", "max_output_tokens"),
    ],
)
def test_what_cannot_be_read_is_named(members: dict[str, Any], code: str, place: str) -> None:
    with pytest.raises(BadBody) as caught:
        read_response_request(document(**members))
    assert caught.value.code == code
    assert place in caught.value.message


def test_input_may_not_be_left_out() -> None:
    with pytest.raises(BadBody, match="missing"):
        read_response_request(read(b'{"model": "auto"}'))
