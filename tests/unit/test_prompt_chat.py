"""What is read of a chat request: capabilities, limits, the classifier's text, the estimate."""

from __future__ import annotations

import json
from typing import Any

import pytest

from prism.prompt.chat import (
    IMAGE_TOKENS,
    MESSAGE_TOKENS,
    Chat,
    Kwargs,
    classifier_text,
    kwargs_of,
    mode_named,
    model_of,
    read_chat,
    read_messages,
)
from prism.prompt.document import BadBody, read
from prism.prompt.members import MOST_TOKENS
from prism.routing.catalog import Capability, Mode

HI = [{"role": "user", "content": "hi"}]
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


def chat(**members: Any) -> Chat:
    return read_chat(read(json.dumps({"messages": HI, **members}).encode()))


def said(*turns: tuple[str, Any]) -> str:
    return chat(messages=[{"role": role, "content": content} for role, content in turns]).text


def text(words: str) -> dict[str, str]:
    return {"type": "text", "text": words}


@pytest.mark.parametrize(
    ("members", "needs"),
    [
        ({}, set()),
        ({"tools": [TOOL]}, {Capability.TOOLS}),
        ({"functions": [{"name": "f"}]}, {Capability.TOOLS}),
        ({"tools": [], "functions": []}, set()),
        ({"tools": None, "functions": None}, set()),
        ({"tools": ["a shape of tomorrow"]}, {Capability.TOOLS}),
        ({"response_format": {"type": "json_schema", "json_schema": {}}}, {Capability.JSON_SCHEMA}),
        ({"response_format": {"type": "json_object"}}, set()),
        ({"response_format": {"type": "text"}}, set()),
        ({"response_format": {"type": "grammar"}}, set()),
        ({"response_format": {}}, set()),
        ({"response_format": None}, set()),
        ({"messages": [{"role": "user", "content": [PICTURE]}]}, {Capability.VISION}),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, set()),
        (
            {
                "tools": [TOOL],
                "response_format": {"type": "json_schema"},
                "messages": [{"role": "user", "content": [text("a"), PICTURE]}, *HI],
            },
            set(Capability) - {Capability.RESPONSES},
        ),
    ],
)
def test_what_a_request_needs(members: dict[str, Any], needs: set[Capability]) -> None:
    assert chat(**members).needs == needs


@pytest.mark.parametrize(
    ("members", "limit"),
    [
        ({}, None),
        ({"max_tokens": None, "max_completion_tokens": None}, None),
        ({"max_tokens": 7}, 7),
        ({"max_completion_tokens": 8}, 8),
        ({"max_tokens": 7, "max_completion_tokens": 8}, 8),
        ({"max_tokens": 7, "max_completion_tokens": None}, 7),
        ({"max_tokens": MOST_TOKENS}, MOST_TOKENS),
    ],
)
def test_the_ceiling_of_output_tokens(members: dict[str, Any], limit: int | None) -> None:
    assert chat(**members).max_output_tokens == limit


@pytest.mark.parametrize(
    ("members", "stream"),
    [({}, False), ({"stream": None}, False), ({"stream": False}, False), ({"stream": True}, True)],
)
def test_stream(members: dict[str, Any], stream: bool) -> None:
    assert chat(**members).stream is stream


@pytest.mark.parametrize(
    "message",
    [
        {"role": "user", "content": "x", "name": "ann"},
        {"role": "developer", "content": "x"},
        {"role": "oracle", "content": "x", "weight": [1, {"a": None}]},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "function": {}}]},
        {"role": "assistant", "tool_calls": []},
        {"role": "assistant", "content": "x", "reasoning_content": "hm", "refusal": None},
        {"role": "tool", "tool_call_id": "1", "content": [{"type": "text", "text": "42"}]},
        {"role": "user", "content": []},
        {"role": "user", "content": [{"type": "hologram", "points": [1, 2]}]},
        {"role": "user", "content": [{}]},
        {"role": "user", "content": [{"type": "text", "text": None}]},
        {"role": "user", "content": [{"type": "text", "text": "x", "cache_control": {}}]},
    ],
)
def test_shapes_that_only_the_provider_knows_pass(message: dict[str, Any]) -> None:
    assert chat(messages=[message, *HI]).text.endswith("hi")


@pytest.mark.parametrize(
    ("members", "code", "param", "words"),
    [
        ({"messages": []}, "no_messages", "messages", "is empty"),
        ({"messages": None}, "invalid_type", "messages", "messages: Expected `array`, got `null`"),
        ({"messages": "hi"}, "invalid_type", "messages", "messages: Expected `array`, got `str`"),
        ({"messages": {}}, "invalid_type", "messages", "messages: Expected `array`"),
        ({"messages": [1]}, "invalid_type", "messages", "messages[0]: Expected `object`"),
        ({"messages": [*HI, {}]}, "invalid_type", "messages", "messages[1]: Object missing"),
        ({"messages": [{"role": None}]}, "invalid_type", "messages", "messages[0].role: Expected"),
        (
            {"messages": [*HI, {"role": "user", "content": 3}]},
            "invalid_type",
            "messages",
            "messages[1].content: Expected `str | array | null`, got `int`",
        ),
        (
            {"messages": [{"role": "user", "content": [text("a"), {"text": 1}]}]},
            "invalid_type",
            "messages",
            "messages[0].content[1].text: Expected `str | null`",
        ),
        ({"tools": {}}, "invalid_type", "tools", "tools: Expected `array | null`"),
        ({"functions": "f"}, "invalid_type", "functions", "functions: Expected `array | null`"),
        ({"stream": "yes"}, "invalid_type", "stream", "stream: Expected `bool | null`"),
        ({"response_format": "json"}, "invalid_type", "response_format", "Expected `object"),
        ({"max_tokens": "7"}, "invalid_type", "max_tokens", "max_tokens: Expected `int | null`"),
        ({"max_tokens": 1.5}, "invalid_type", "max_tokens", "got `float`"),
        ({"max_tokens": 0}, "invalid_max_tokens", "max_tokens", "'max_tokens' must be 1 to"),
        ({"max_completion_tokens": -1}, "invalid_max_tokens", "max_completion_tokens", "must be"),
        ({"max_tokens": 10**400}, "invalid_max_tokens", "max_tokens", "must be 1 to"),
    ],
)
def test_a_wrong_type_is_refused_with_its_path(
    members: dict[str, Any], code: str, param: str, words: str
) -> None:
    with pytest.raises(BadBody) as caught:
        chat(**members)
    assert (caught.value.code, caught.value.param) == (code, param)
    assert words in caught.value.message


def test_missing_messages_are_named() -> None:
    with pytest.raises(BadBody, match="'messages' is missing"):
        read_chat(read(b'{"model":"auto"}'))


@pytest.mark.parametrize("body", [b'{"messages":[{"role":"user","content":%s}]}'])
def test_a_value_nested_more_deeply_than_the_top_level_was_read_is_refused(body: bytes) -> None:
    for depth in range(900, 1100, 5):
        with pytest.raises(BadBody):
            read_chat(read(body % (b"[" * depth + b"]" * depth)))


def test_messages_alone_are_read_by_the_same_rules() -> None:
    found = read_messages(json.dumps([*HI, {"role": "user", "content": [text("more")]}]).encode())
    assert classifier_text(found) == "hi\nmore"
    with pytest.raises(BadBody, match=r"messages\[0\].role"):
        read_messages(b'[{"role":1}]')


LONG = "a turn that is long enough to stand for itself, without the one before it"


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        ([("user", "one")], "one"),
        ([("system", "be brief"), ("user", "one")], "one"),
        ([("user", "one"), ("assistant", "answer"), ("user", LONG)], LONG),
        ([("user", "one"), ("assistant", "answer"), ("user", "and in Rust?")], "one\nand in Rust?"),
        ([("user", "one"), ("user", "what is 15% of 80?")], "what is 15% of 80?"),
        ([("user", "zero"), ("user", "one"), ("user", "two")], "one\ntwo"),
        ([("user", LONG), ("tool", "42")], LONG),
        ([("user", "one"), ("user", "")], "one"),
        ([("user", ""), ("user", "one")], "one"),
        ([("user", [text("a"), PICTURE, text("b")])], "a\nb"),
        ([("user", "look"), ("user", [PICTURE])], "look"),
        ([("system", "only this")], "only this"),
        ([("assistant", "first"), ("tool", "last")], "last"),
        ([("user", None)], ""),
    ],
)
def test_what_the_classifier_sees(turns: list[tuple[str, Any]], expected: str) -> None:
    assert said(*turns) == expected


@pytest.mark.parametrize(
    ("sentence", "tokens"),
    [
        # By rule of thumb: a token for each word and stop, and 0.75 for each CJK character.
        ("The quick brown fox jumps over the lazy dog.", 10),
        ("今天天气很好,我们一起去公园散步吧。", 13),
    ],
)
def test_the_estimate_of_text_is_sane(sentence: str, tokens: int) -> None:
    found = chat(messages=[{"role": "user", "content": sentence * 100}]).input_tokens
    assert 0.8 * 100 * tokens <= found - MESSAGE_TOKENS <= 1.5 * 100 * tokens


def test_pictures_count_once_each_whatever_their_size() -> None:
    small = {"type": "image_url", "image_url": {"url": "https://pictures.test/a.png"}}
    large = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 100_000}}
    found = chat(messages=[{"role": "user", "content": [small, large]}])
    assert found.input_tokens == 2 * IMAGE_TOKENS + MESSAGE_TOKENS


def test_tools_count_towards_the_input() -> None:
    tools = [TOOL] * 40
    schemas = sum(len(json.dumps(tool)) for tool in tools)
    assert chat(tools=tools).input_tokens == (len("hi") + schemas) // 4 + MESSAGE_TOKENS


@pytest.mark.parametrize(
    ("members", "acts"),
    [
        ({}, False),
        ({"tools": [TOOL]}, False),
        ({"tools": [{"type": "custom"}, {}]}, False),
        ({"functions": [{"name": "f"}]}, False),
        ({"tools": [TOOL, {"type": "web_search"}]}, True),
        # What can't be read is the provider's to refuse, once.
        ({"tools": ["web_search"]}, True),
        ({"tools": [{"type": 1}]}, True),
        ({"web_search_options": {}}, True),
        ({"store": True}, True),
        ({"store": "yes"}, True),
        ({"store": False, "background": None}, False),
        ({"background": True}, True),
    ],
    ids=str,
)
def test_what_acts_at_the_provider(members: dict[str, Any], acts: bool) -> None:
    assert chat(**members).acts_at_provider is acts


@pytest.mark.parametrize(
    ("body", "model"),
    [(b'{"model":"auto"}', "auto"), (b'{"mod\\u0065l":"\\u0061"}', "a"), (b"{}", None)],
)
def test_the_model(body: bytes, model: str | None) -> None:
    assert model_of(read(body)) == model


@pytest.mark.parametrize("value", [b"null", b"1", b'""', b"[]"])
def test_a_model_that_is_no_name_is_refused(value: bytes) -> None:
    with pytest.raises(BadBody) as caught:
        model_of(read(b'{"model":' + value + b"}"))
    assert caught.value.param == "model"


def test_kwargs_are_read() -> None:
    body = b'{"prism":{"mode":"eco","model_prefer":"m","max_cost":1,"min_quality":null}}'
    assert kwargs_of(read(body)) == Kwargs("eco", "m", 1.0)
    assert kwargs_of(read(b'{"prism":null}')) is None
    assert kwargs_of(read(b"{}")) is None


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (b'"eco"', "prism: Expected `object | null`"),
        (b'{"moed":"eco"}', "unknown field `moed`"),
        (b'{"max_cost":"1"}', "prism.max_cost: Expected `float | null`"),
        (b'{"max_cost":1e999}', "prism.max_cost: Number out of range"),
        (b'{"mode":["eco"]}', "prism.mode: Expected `str | null`"),
    ],
)
def test_kwargs_that_can_not_be_read_are_refused(value: bytes, words: str) -> None:
    with pytest.raises(BadBody) as caught:
        kwargs_of(read(b'{"prism":' + value + b"}"))
    assert words in caught.value.message
    assert caught.value.param == "prism"


@pytest.mark.parametrize(
    ("name", "mode"),
    [("eco", Mode.ECO), (" ECO ", Mode.ECO), ("Sport", Mode.SPORT), ("", None), ("fast", None)],
)
def test_modes_by_name(name: str, mode: Mode | None) -> None:
    assert mode_named(name) is mode
