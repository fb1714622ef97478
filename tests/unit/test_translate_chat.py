"""Requests of OpenAI's API as requests of Anthropic's."""

from __future__ import annotations

import json
from typing import Any

import pytest

from prism.translate import DEFAULT_MAX_TOKENS, to_anthropic_request

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
    told,
    use,
    user,
)

# What is asked by OpenAI's API, and the turns of Anthropic's.
TURNS: list[tuple[str, list[Any], list[Any]]] = [
    ("text", [HI], [HI]),
    ("one text part", [user([text("hi")])], [HI]),
    ("two text parts", [user([text("a"), text("b")])], [user([text("a"), text("b")])]),
    ("a caching hint", [user([text("hi", prompt_cache_breakpoint={"mode": "explicit"})])], [HI]),
    ("empty parts", [user([text(""), text("hi"), text(" \n")])], [HI]),
    (
        "a picture as data",
        [user([picture(PNG, detail="high")])],
        [user([{"type": "image", "source": PNG_SOURCE}])],
    ),
    (
        "a picture by URL",
        [user([picture(WEB_SOURCE["url"])])],
        [user([{"type": "image", "source": WEB_SOURCE}])],
    ),
    (
        "image/jpg",
        [user([picture("data:image/JPG;base64,AA")])],
        [
            user(
                [
                    {
                        "type": "image",
                        "source": {**PNG_SOURCE, "media_type": "image/jpeg", "data": "AA"},
                    }
                ]
            )
        ],
    ),
    (
        "a PDF",
        [user([{"type": "file", "file": {"filename": "a.pdf", "file_data": PDF}}])],
        [user([{"type": "document", "source": PDF_SOURCE, "title": "a.pdf"}])],
    ),
    ("two turns of the user", [HI, user("you")], [user([text("hi"), text("you")])]),
    (
        "two turns of the assistant",
        [HI, assistant("a"), assistant([text("b")]), HI],
        [HI, assistant([text("a"), text("b")]), HI],
    ),
    ("an empty turn of the assistant", [HI, assistant(""), HI], [user([text("hi"), text("hi")])]),
    (
        "what OpenAI's SDK gives back",
        [HI, assistant("a", refusal=None, annotations=[], audio=None, function_call=None), HI],
        [HI, assistant("a"), HI],
    ),
    (
        "what another model thought",
        [HI, assistant("a", reasoning_content="hm", reasoning="hm"), HI],
        [HI, assistant("a"), HI],
    ),
    (
        "a refusal",
        [
            HI,
            assistant(None, refusal="No."),
            HI,
            assistant([{"type": "refusal", "refusal": "No"}]),
            HI,
        ],
        [HI, assistant("No."), HI, assistant("No"), HI],
    ),
    (
        "a call and its result",
        [HI, assistant(None, call("weather", '{"city": "Köln"}')), told("rain")],
        [HI, assistant([use("weather", {"city": "Köln"})]), user([result("rain")])],
    ),
    (
        "several calls, and the user at once",
        [
            HI,
            assistant("Let me see.", call("weather", ""), call("weather", "{}", "b")),
            told("rain"),
            told([text("sun")], "b"),
            user("well?"),
        ],
        [
            HI,
            assistant([text("Let me see."), use("weather", {}), use("weather", {}, "b")]),
            user([result("rain"), result("sun", "b"), text("well?")]),
        ],
    ),
    (
        "a result with a picture, and one without anything",
        [
            HI,
            assistant("", call("a", "{}"), call("b", "{}", "b")),
            told([text("see"), picture(PNG)]),
            told("", "b"),
        ],
        [
            HI,
            assistant([use("a", {}), use("b", {}, "b")]),
            user(
                [
                    result([text("see"), {"type": "image", "source": PNG_SOURCE}]),
                    result(None, "b"),
                ]
            ),
        ],
    ),
    (
        "ids with strange characters",
        [HI, assistant(None, call("a", "{}", "functions.a:0")), told("x", "functions.a:0")],
        [
            HI,
            assistant([use("a", {}, "functions_2e_a_3a_0")]),
            user([result("x", "functions_2e_a_3a_0")]),
        ],
    ),
    (
        "a system message later",
        [HI, assistant("a"), HI, {"role": "developer", "content": "Be brief."}],
        [HI, assistant("a"), HI, {"role": "system", "content": "Be brief."}],
    ),
]


@pytest.mark.parametrize(
    ("messages", "turns"), [row[1:] for row in TURNS], ids=[t[0] for t in TURNS]
)
def test_messages_become_turns(messages: list[Any], turns: list[Any]):
    assert to_anthropic(messages=messages)["messages"] == turns


@pytest.mark.parametrize(
    ("messages", "system"),
    [
        ([HI], None),
        ([{"role": "system", "content": "S"}, HI], "S"),
        ([{"role": "developer", "content": [text("S")]}, HI], "S"),
        ([{"role": "system", "content": ""}, HI], None),
        (
            [{"role": "system", "content": "S"}, {"role": "developer", "content": "D"}, HI],
            [text("S"), text("D")],
        ),
    ],
)
def test_what_begins_the_conversation_becomes_the_system_prompt(messages: list[Any], system: Any):
    said = to_anthropic(messages=messages)
    assert said["messages"] == [HI]
    assert said.get("system") == system


SCHEMA = {"type": "json_schema", "json_schema": {"name": "w", "strict": True, "schema": WEATHER}}

# Members of OpenAI's request, and those of Anthropic's that say the same.
MEMBERS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"temperature": 0}, {"temperature": 0}),
    ({"temperature": 0.7, "top_p": 0.5}, {"temperature": 0.7, "top_p": 0.5}),
    ({"top_k": 40}, {"top_k": 40}),
    ({"stop": "END"}, {"stop_sequences": ["END"]}),
    ({"stop": ["a", "b"]}, {"stop_sequences": ["a", "b"]}),
    ({"stop": [], "temperature": None}, {}),
    ({"stream": True, "stream_options": {"include_usage": True}}, {"stream": True}),
    ({"stream": False}, {"stream": False}),
    ({"user": "u1"}, {"metadata": {"user_id": "u1"}}),
    ({"user": "u1", "safety_identifier": "s"}, {"metadata": {"user_id": "s"}}),
    ({"service_tier": "auto"}, {"service_tier": "auto"}),
    ({"service_tier": "default"}, {"service_tier": "standard_only"}),
    ({"tools": [FUNCTION]}, {"tools": [TOOL]}),
    (
        {"tools": [{"type": "function", "function": {"name": "now", "strict": True}}]},
        {
            "tools": [
                {
                    "name": "now",
                    "input_schema": {"type": "object", "properties": {}},
                    "strict": True,
                }
            ]
        },
    ),
    (
        {"tools": [FUNCTION], "tool_choice": "required"},
        {"tools": [TOOL], "tool_choice": {"type": "any"}},
    ),
    (
        {"tools": [FUNCTION], "tool_choice": "auto"},
        {"tools": [TOOL], "tool_choice": {"type": "auto"}},
    ),
    (
        {"tools": [FUNCTION], "tool_choice": "none", "parallel_tool_calls": False},
        {"tools": [TOOL], "tool_choice": {"type": "none"}},
    ),
    (
        {
            "tools": [FUNCTION],
            "tool_choice": {"type": "function", "function": {"name": "weather"}},
            "parallel_tool_calls": False,
        },
        {
            "tools": [TOOL],
            "tool_choice": {"type": "tool", "name": "weather", "disable_parallel_tool_use": True},
        },
    ),
    (
        {"tools": [FUNCTION], "parallel_tool_calls": False},
        {"tools": [TOOL], "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
    ),
    ({"tools": [FUNCTION], "parallel_tool_calls": True}, {"tools": [TOOL]}),
    ({"parallel_tool_calls": False}, {}),
    ({"response_format": {"type": "text"}}, {}),
    (
        {"response_format": SCHEMA},
        {"output_config": {"format": {"type": "json_schema", "schema": WEATHER}}},
    ),
    (
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "w", "description": "The weather.", "schema": {}},
            }
        },
        {
            "output_config": {
                "format": {"type": "json_schema", "schema": {"description": "The weather."}}
            }
        },
    ),
    (
        {"reasoning_effort": "high"},
        {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}},
    ),
    ({"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}),
    # What asks for nothing, and what changes no answer.
    ({"n": 1, "logprobs": False, "frequency_penalty": 0.0, "presence_penalty": 0}, {}),
    ({"logit_bias": {}, "modalities": ["text"], "store": False, "verbosity": "medium"}, {}),
    ({"seed": 7, "metadata": {"a": "b"}, "prompt_cache_key": "k", "prism": {"mode": "eco"}}, {}),
    ({"prediction": {"type": "content", "content": "x"}, "prompt_cache_retention": "24h"}, {}),
]


@pytest.mark.parametrize(("asked", "said"), MEMBERS, ids=[str(list(row[0])) for row in MEMBERS])
def test_members_of_a_chat_request(asked: dict[str, Any], said: dict[str, Any]):
    translated = to_anthropic(**asked)
    assert translated == {"max_tokens": DEFAULT_MAX_TOKENS, "messages": [HI], **said}


@pytest.mark.parametrize(
    ("asked", "bound"),
    [
        ({}, DEFAULT_MAX_TOKENS),
        ({"max_tokens": 5}, 5),
        ({"max_completion_tokens": 7}, 7),
        ({"max_tokens": 5, "max_completion_tokens": 7}, 7),
    ],
)
def test_the_bound_of_the_answer(asked: dict[str, Any], bound: int):
    assert to_anthropic(**asked)["max_tokens"] == bound
    body = json.dumps({"messages": [HI], **asked}).encode()
    other = json.loads(to_anthropic_request(body, "m", max_tokens=3))["max_tokens"]
    assert other == (bound if asked else 3)
