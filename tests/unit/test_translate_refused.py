"""What the other API can't say is refused with its place and the reason, both ways."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from prism.translate import (
    Untranslatable,
    chat_request,
    messages_request,
    to_anthropic_request,
    to_openai_request,
)

HI: Any = {"role": "user", "content": "hi"}
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
PAGE = Path(__file__).parents[2] / "docs" / "providers-apis.md"


def user(*parts: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(parts)}]}


def said(**message: Any) -> dict[str, Any]:
    return {"messages": [HI, {"role": "assistant", **message}, HI]}


def calls(arguments: Any) -> dict[str, Any]:
    function = {"name": "f", "arguments": arguments}
    return said(tool_calls=[{"id": "c", "type": "function", "function": function}])


def picture(url: Any) -> dict[str, Any]:
    return user({"type": "image_url", "image_url": {"url": url}})


def file(**file: Any) -> dict[str, Any]:
    return user({"type": "file", "file": file})


ARGUMENTS = "messages[1].tool_calls[0].function.arguments"
URL = "messages[0].content[0].image_url.url"
FILE = "messages[0].content[0].file"

# Members of OpenAI's request, the place that is refused, and a word of the reason.
TO_ANTHROPIC: list[tuple[dict[str, Any], str, str]] = [
    ({"n": 2}, "n", "one answer"),
    ({"n": 0}, "n", "one answer"),
    ({"logprobs": True}, "logprobs", "probabilities"),
    ({"top_logprobs": 3}, "top_logprobs", "probabilities"),
    ({"logit_bias": {"1": 5}}, "logit_bias", "bias"),
    ({"frequency_penalty": 0.1}, "frequency_penalty", "penalties"),
    ({"presence_penalty": -1}, "presence_penalty", "penalties"),
    ({"modalities": ["text", "audio"]}, "modalities", "text only"),
    ({"audio": {"voice": "x"}}, "audio", "audio"),
    ({"store": True}, "store", "stores"),
    ({"verbosity": "low"}, "verbosity", "verbosity"),
    ({"moderation": {"model": "m"}}, "moderation", "moderation"),
    ({"web_search_options": {}}, "web_search_options", "search"),
    ({"functions": []}, "functions", "'tools'"),
    ({"function_call": "auto"}, "function_call", "'tool_choice'"),
    ({"temperature": 1.1}, "temperature", "1"),
    ({"temperature": "hot"}, "temperature", "number"),
    ({"temperature": True}, "temperature", "number"),
    ({"service_tier": "flex"}, "service_tier", "tier"),
    ({"reasoning_effort": "minimal"}, "reasoning_effort", "efforts"),
    ({"response_format": {"type": "json_object"}}, "response_format.type", "json_schema"),
    ({"response_format": {"type": "json_schema"}}, "response_format.json_schema", "object"),
    (
        {"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}},
        "response_format.json_schema.schema",
        "missing",
    ),
    ({"stop": 5}, "stop", "string"),
    ({"stop": ["a", 5]}, "stop[1]", "string"),
    ({"max_tokens": 1.5}, "max_tokens", "integer"),
    ({"max_tokens": True}, "max_tokens", "integer"),
    ({"stream": "yes"}, "stream", "true or false"),
    ({"stream_options": {"new": 1}}, "stream_options.new", "counterpart"),
    ({"a_member_of_tomorrow": 1}, "a_member_of_tomorrow", "counterpart"),
    ({"user": 5}, "user", "string"),
    ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools[0].type", "functions"),
    ({"tools": [{"type": "function"}]}, "tools[0].function", "object"),
    ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name", "missing"),
    ({"tools": [5]}, "tools[0]", "object"),
    ({"tools": {}}, "tools", "array"),
    ({"tool_choice": "any"}, "tool_choice", "'required'"),
    ({"tool_choice": {"type": "allowed_tools"}}, "tool_choice", "allowed_tools"),
    ({"tool_choice": {"type": "custom", "custom": {"name": "x"}}}, "tool_choice", "custom"),
    ({"messages": None}, "messages", "missing"),
    ({"messages": "hi"}, "messages", "array"),
    ({"messages": []}, "messages", "message"),
    ({"messages": [{"role": "system", "content": "S"}]}, "messages", "message"),
    ({"messages": [5]}, "messages[0]", "object"),
    ({"messages": [{"content": "hi"}]}, "messages[0].role", "missing"),
    ({"messages": [{"role": "function", "content": "x"}]}, "messages[0].role", "function"),
    ({"messages": [{**HI, "name": "Ada"}]}, "messages[0].name", "names"),
    ({"messages": [{**HI, "x": 1}]}, "messages[0].x", "counterpart"),
    ({"messages": [{"role": "user", "content": ""}]}, "messages[0].content", "without content"),
    ({"messages": [{"role": "user"}]}, "messages[0].content", "without content"),
    ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content", "array"),
    ({"messages": [HI, {"role": "assistant", "content": "a"}]}, "messages[1]", "go on"),
    ({"messages": [{"role": "tool", "content": "a"}]}, "messages[0].tool_call_id", "missing"),
    (user(5), "messages[0].content[0]", "object"),
    (user({"text": "x"}), "messages[0].content[0].type", "missing"),
    (user({"type": "text", "text": 5}), "messages[0].content[0].text", "string"),
    (user({"type": "text", "text": "x", "y": 1}), "messages[0].content[0].y", "counterpart"),
    (user({"type": "input_audio"}), "messages[0].content[0].type", "input_audio"),
    (user({"type": "image_url"}), "messages[0].content[0].image_url", "object"),
    (picture("ftp://x/y.png"), URL, "https"),
    (picture("data:image/png,AA"), URL, "base64"),
    (picture("data:image/svg+xml;base64,AA"), URL, "image/png"),
    (picture("data:"), URL, "base64"),
    (picture(5), URL, "string"),
    (file(file_id="f"), f"{FILE}.file_id", "OpenAI"),
    (file(filename="a"), f"{FILE}.file_data", "missing"),
    (file(file_data="data:text/csv;base64,AA"), f"{FILE}.file_data", "PDF"),
    (said(audio={"id": "a"}), "messages[1].audio", "audio"),
    (said(function_call={"name": "f"}), "messages[1].function_call", "tools"),
    (said(content=[{"type": "image_url"}]), "messages[1].content[0].type", "image_url"),
    (said(tool_calls=[{"id": "c", "type": "custom"}]), "messages[1].tool_calls[0].type", "custom"),
    (said(tool_calls=[{**CALL, "id": None}]), "messages[1].tool_calls[0].id", "missing"),
    (calls("{"), ARGUMENTS, "JSON"),
    (calls("[]"), ARGUMENTS, "object"),
    (calls("NaN"), ARGUMENTS, "JSON"),
    (calls('{"x": 1e999}'), ARGUMENTS, "too large"),
    (calls({}), ARGUMENTS, "string"),
    (calls("[" * 100_000), ARGUMENTS, "deep"),
]


@pytest.mark.parametrize(
    ("asked", "path", "reason"), TO_ANTHROPIC, ids=[f"{row[1]}-{row[2]}" for row in TO_ANTHROPIC]
)
def test_what_anthropics_api_can_not_say(asked: dict[str, Any], path: str, reason: str):
    with pytest.raises(Untranslatable) as refused:
        to_anthropic_request(json.dumps({"model": "m", "messages": [HI], **asked}).encode(), "c")
    assert refused.value.path == path
    assert reason in refused.value.reason


def block(**block: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [block]}]}


def answered(**block: Any) -> dict[str, Any]:
    return {"messages": [HI, {"role": "assistant", "content": [block]}, HI]}


def tool(**members: Any) -> dict[str, Any]:
    return {"tools": [{"name": "f", "input_schema": {}, **members}]}


BLOCK = "messages[0].content[0]"
USE = {"type": "tool_use", "id": "c", "name": "f", "input": {}}

# Members of Anthropic's request, the place that is refused, and a word of the reason.
TO_OPENAI: list[tuple[dict[str, Any], str, str]] = [
    ({"top_k": 5}, "top_k", "top_k"),
    ({"container": "c"}, "container", "containers"),
    ({"mcp_servers": []}, "mcp_servers", "MCP"),
    ({"context_management": {}}, "context_management", "shorten"),
    ({"diagnostics": {}}, "diagnostics", "diagnostics"),
    ({"inference_geo": "eu"}, "inference_geo", "where"),
    ({"user_profile_id": "u"}, "user_profile_id", "profiles"),
    ({"a_member_of_tomorrow": 1}, "a_member_of_tomorrow", "counterpart"),
    ({"speed": "fast"}, "speed", "speed"),
    ({"service_tier": "priority"}, "service_tier", "tier"),
    ({"metadata": {"x": 1}}, "metadata.x", "counterpart"),
    ({"max_tokens": None}, "max_tokens", "missing"),
    ({"max_tokens": 0}, "max_tokens", "cache"),
    ({"stop_sequences": list("abcde")}, "stop_sequences", "4"),
    ({"thinking": {"type": "enabled", "budget_tokens": 2048}}, "thinking.type", "budget"),
    ({"thinking": {"type": "between_tools"}}, "thinking.type", "budget"),
    ({"thinking": {"type": "adaptive", "x": 1}}, "thinking.x", "counterpart"),
    ({"output_config": {"effort": "huge"}}, "output_config.effort", "effort"),
    ({"output_config": {"x": 1}}, "output_config.x", "counterpart"),
    ({"output_config": {"format": {"type": "xml"}}}, "output_config.format.type", "xml"),
    ({"output_config": {"format": {"type": "json_schema"}}}, "output_config.format.schema", "miss"),
    ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools[0].type", "built"),
    ({"tools": [{"type": "bash_20250124", "name": "bash"}]}, "tools[0].type", "built"),
    ({"tools": [{"name": "f"}]}, "tools[0].input_schema", "missing"),
    (tool(defer_loading=True), "tools[0].defer_loading", "search"),
    (tool(allowed_callers=["code_execution_20250825"]), "tools[0].allowed_callers", "call"),
    (tool(input_examples=[{}]), "tools[0].input_examples", "examples"),
    (tool(x=1), "tools[0].x", "counterpart"),
    ({"tool_choice": {"type": "some"}}, "tool_choice.type", "some"),
    ({"tool_choice": {"type": "tool"}}, "tool_choice.name", "missing"),
    ({"system": [{"type": "image"}]}, "system[0].type", "text only"),
    ({"system": 5}, "system", "array"),
    ({"messages": []}, "messages", "last turn"),
    ({"messages": [HI, {"role": "assistant", "content": "The"}]}, "messages[1]", "go on"),
    ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role", "tool"),
    ({"messages": [{**HI, "x": 1}]}, "messages[0].x", "counterpart"),
    ({"messages": [{"role": "user"}]}, "messages[0].content", "array"),
    (block(type="search_result"), f"{BLOCK}.type", "search_result"),
    (block(type="container_upload"), f"{BLOCK}.type", "container_upload"),
    (block(type="image", source={"type": "file", "file_id": "f"}), f"{BLOCK}.source", "alone"),
    (block(type="image", source={"type": "url"}), f"{BLOCK}.source.url", "missing"),
    (
        block(type="image", source={"type": "url", "url": "u"}, transformations={}),
        f"{BLOCK}.transformations",
        "scale",
    ),
    (block(type="document", source={"type": "url", "url": "u"}), f"{BLOCK}.source", "PDF"),
    (block(type="document", source={}, citations={"enabled": True}), f"{BLOCK}.citations", "no"),
    (
        block(type="document", context="c", source={"type": "base64"}),
        f"{BLOCK}.context",
        "context",
    ),
    (block(type="tool_result", content="x"), f"{BLOCK}.tool_use_id", "missing"),
    (
        block(type="tool_result", tool_use_id="c", content=[{"type": "tool_reference"}]),
        f"{BLOCK}.content[0].type",
        "tool_reference",
    ),
    (answered(type="server_tool_use"), "messages[1].content[0].type", "server_tool_use"),
    (answered(**USE, toolset_name="x"), "messages[1].content[0].toolset_name", "sets"),
    (answered(**{**USE, "input": "x"}), "messages[1].content[0].input", "object"),
    (
        answered(**USE, caller={"type": "code_execution_20250825"}),
        "messages[1].content[0].caller",
        "tool",
    ),
]


@pytest.mark.parametrize(
    ("asked", "path", "reason"), TO_OPENAI, ids=[f"{row[1]}-{row[2]}" for row in TO_OPENAI]
)
def test_what_openais_api_can_not_say(asked: dict[str, Any], path: str, reason: str):
    body = {"model": "m", "max_tokens": 9, "messages": [HI], **asked}
    with pytest.raises(Untranslatable) as refused:
        to_openai_request(json.dumps(body).encode(), "g")
    assert refused.value.path == path
    assert reason in refused.value.reason


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"5", b"\xff", b"null", b"[" * 100_000])
@pytest.mark.parametrize("translate", [to_anthropic_request, to_openai_request])
def test_what_is_no_request(translate: Any, body: bytes):
    with pytest.raises(Untranslatable) as refused:
        translate(body, "m")
    assert refused.value.path == ""
    assert str(refused.value) == refused.value.reason


def test_the_page_names_what_is_left_out_and_what_is_refused():
    page = PAGE.read_text("utf-8")
    tables = (chat_request.IGNORED, chat_request.REFUSED, chat_request.UNASKED)
    for table in (*tables, messages_request.IGNORED, messages_request.REFUSED):
        missing = [name for name in table if f"`{name}`" not in page]
        assert missing == []
