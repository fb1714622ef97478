"""Requests of Anthropic's API as requests of OpenAI's."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .request_parts import (
    FUNCTION,
    HI,
    PDF,
    PDF_SOURCE,
    PNG,
    PNG_SOURCE,
    TOOL,
    WEATHER,
    WEB_SOURCE,
    assistant,
    call,
    picture,
    result,
    text,
    to_anthropic,
    to_openai,
    told,
    use,
    user,
)

# What is asked by Anthropic's API, and the messages of OpenAI's.
MESSAGES: list[tuple[str, list[Any], list[Any]]] = [
    ("text", [HI], [HI]),
    ("a text block", [user([text("hi", cache_control={"type": "ephemeral"})])], [HI]),
    ("two text blocks", [user([text("a"), text("b")])], [user([text("a"), text("b")])]),
    ("pictures", [user([{"type": "image", "source": PNG_SOURCE}])], [user([picture(PNG)])]),
    (
        "a picture by URL",
        [user([{"type": "image", "source": WEB_SOURCE}])],
        [user([picture(WEB_SOURCE["url"])])],
    ),
    (
        "a PDF",
        [user([{"type": "document", "source": PDF_SOURCE, "title": "a.pdf"}])],
        [user([{"type": "file", "file": {"filename": "a.pdf", "file_data": PDF}}])],
    ),
    (
        "a document of text",
        [
            user(
                [
                    {
                        "type": "document",
                        "title": "T",
                        "context": "C",
                        "citations": {"enabled": False},
                        "source": {"type": "text", "media_type": "text/plain", "data": "D"},
                    }
                ]
            )
        ],
        [user("T\nC\nD")],
    ),
    (
        "thinking",
        [
            HI,
            assistant(
                [
                    {"type": "thinking", "thinking": "hm", "signature": "s"},
                    {"type": "redacted_thinking", "data": "x"},
                    text("a", citations=None),
                ]
            ),
            HI,
        ],
        [HI, assistant("a"), HI],
    ),
    ("nothing but thinking", [HI, assistant([{"type": "thinking"}]), HI], [HI, HI]),
    (
        "a call and its result",
        [
            HI,
            assistant([text("Let me see."), use("weather", {"city": "Köln"})]),
            user([result("rain"), text("well?")]),
        ],
        [
            HI,
            assistant("Let me see.", call("weather", '{"city":"Köln"}')),
            told("rain"),
            user("well?"),
        ],
    ),
    (
        "several results, one of them failed, one empty",
        [
            HI,
            assistant([use("a", {}), use("b", {}, "b"), use("c", {}, "c")]),
            user(
                [
                    result([text("x"), text("y")], is_error=False),
                    result("no such city", "b", is_error=True),
                    result(None, "c"),
                ]
            ),
        ],
        [
            HI,
            assistant(None, call("a", "{}"), call("b", "{}", "b"), call("c", "{}", "c")),
            told("x\ny"),
            told("Error: no such city", "b"),
            told("", "c"),
        ],
    ),
    (
        "a result with a picture",
        [
            HI,
            assistant([use("a", {})]),
            user([result([text("see"), {"type": "image", "source": PNG_SOURCE}])]),
        ],
        [
            HI,
            assistant(None, call("a", "{}")),
            told("see\n(The result has 1 attachments; they follow.)"),
            user([text("Attachments of the result of call_1:"), picture(PNG)]),
        ],
    ),
    (
        "a system turn",
        [HI, {"role": "system", "content": "Be brief."}],
        [HI, {"role": "system", "content": "Be brief."}],
    ),
]


@pytest.mark.parametrize(
    ("turns", "messages"), [row[1:] for row in MESSAGES], ids=[row[0] for row in MESSAGES]
)
def test_turns_become_messages(turns: list[Any], messages: list[Any]):
    assert to_openai(messages=turns)["messages"] == messages


@pytest.mark.parametrize(
    ("system", "message"),
    [
        ("S", "S"),
        ([text("S", cache_control={"type": "ephemeral"})], "S"),
        ([text("S"), text("T")], [text("S"), text("T")]),
    ],
)
def test_the_system_prompt_becomes_the_first_message(system: Any, message: Any):
    assert to_openai(system=system)["messages"] == [{"role": "system", "content": message}, HI]


FORMAT = {"type": "json_schema", "schema": WEATHER}

# Members of Anthropic's request, and those of OpenAI's that say the same.
MEMBERS_BACK: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"temperature": 1, "top_p": 0.5}, {"temperature": 1, "top_p": 0.5}),
    ({"stop_sequences": ["a"]}, {"stop": ["a"]}),
    ({"stop_sequences": []}, {}),
    ({"stream": True}, {"stream": True, "stream_options": {"include_usage": True}}),
    ({"stream": False}, {}),
    ({"metadata": {"user_id": "u"}}, {"user": "u"}),
    ({"metadata": {}}, {}),
    ({"service_tier": "auto", "speed": "standard"}, {}),
    ({"service_tier": "standard_only"}, {"service_tier": "default"}),
    ({"cache_control": {"type": "ephemeral"}, "prism": {}}, {}),
    ({"thinking": {"type": "disabled"}}, {}),
    (
        {
            "thinking": {"type": "adaptive", "display": "omitted"},
            "output_config": {"effort": "max"},
        },
        {"reasoning_effort": "max"},
    ),
    (
        {"output_config": {"format": FORMAT}},
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": WEATHER, "strict": True},
            }
        },
    ),
    ({"tools": [TOOL]}, {"tools": [FUNCTION]}),
    (
        {
            "tools": [
                {
                    "type": "custom",
                    "name": "now",
                    "input_schema": {"type": "object"},
                    "strict": True,
                    "cache_control": {"type": "ephemeral"},
                    "eager_input_streaming": True,
                    "defer_loading": False,
                    "allowed_callers": ["direct"],
                }
            ]
        },
        {
            "tools": [
                {
                    "type": "function",
                    "function": {"name": "now", "parameters": {"type": "object"}, "strict": True},
                }
            ]
        },
    ),
    (
        {"tools": [TOOL], "tool_choice": {"type": "any", "disable_parallel_tool_use": True}},
        {"tools": [FUNCTION], "tool_choice": "required", "parallel_tool_calls": False},
    ),
    (
        {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "weather"}},
        {
            "tools": [FUNCTION],
            "tool_choice": {"type": "function", "function": {"name": "weather"}},
        },
    ),
    (
        {"tools": [TOOL], "tool_choice": {"type": "none"}},
        {"tools": [FUNCTION], "tool_choice": "none"},
    ),
]


@pytest.mark.parametrize(
    ("asked", "said"), MEMBERS_BACK, ids=[str(list(row[0])) for row in MEMBERS_BACK]
)
def test_members_of_a_messages_request(asked: dict[str, Any], said: dict[str, Any]):
    translated = to_openai(**asked)
    assert translated == {"max_completion_tokens": 9, "messages": [HI], **said}


def test_numbers_and_texts_stay_exact():
    given = '{"n": 123456789012345678901234567890, "x": 1.0, "s": "\\ud83d\\ude00 \\u0000"}'
    messages = [HI, assistant(None, call("f", given)), told("☃")]
    there = to_anthropic(messages=messages)["messages"]
    assert there[1]["content"][0]["input"] == json.loads(given)
    back = to_openai(messages=there)["messages"]
    assert json.loads(back[1]["tool_calls"][0]["function"]["arguments"]) == json.loads(given)
    assert '"x":1.0' in back[1]["tool_calls"][0]["function"]["arguments"]
    assert back[2] == told("☃")
