"""Parts of requests of either API, and their translation, checked by the SDKs' own types."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
from pydantic import TypeAdapter

from prism.translate import to_anthropic_request, to_openai_request

# Newer SDKs have no types for the sampling that only older models take.
_UNTYPED = ("temperature", "top_p", "top_k", "stream")

HI: Any = {"role": "user", "content": "hi"}
WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FUNCTION = {
    "type": "function",
    "function": {"name": "weather", "description": "Tells it.", "parameters": WEATHER},
}
TOOL = {"name": "weather", "description": "Tells it.", "input_schema": WEATHER}
PNG = "data:image/png;base64,iVBORw0KGgo="
PNG_SOURCE = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
WEB_SOURCE = {"type": "url", "url": "https://example.com/a.jpg"}
PDF = "data:application/pdf;base64,JVBERi0="
PDF_SOURCE = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}


def text(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **more}


def picture(url: str, **more: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, **more}}


def call(name: str, arguments: str, id_: str = "call_1") -> dict[str, Any]:
    return {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}


def use(name: str, given: dict[str, Any], id_: str = "call_1") -> dict[str, Any]:
    return {"type": "tool_use", "id": id_, "name": name, "input": given}


def result(content: Any, id_: str = "call_1", **more: Any) -> dict[str, Any]:
    said = {"type": "tool_result", "tool_use_id": id_, **more}
    return said if content is None else {**said, "content": content}


def assistant(content: Any = None, *calls: Any, **more: Any) -> dict[str, Any]:
    said = {"role": "assistant", "content": content, **more}
    return {**said, "tool_calls": list(calls)} if calls else said


def told(content: Any, id_: str = "call_1") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id_, "content": content}


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


@cache
def _anthropics() -> TypeAdapter[Any]:
    return TypeAdapter(MessageCreateParamsNonStreaming)


@cache
def _openais() -> TypeAdapter[Any]:
    return TypeAdapter(CompletionCreateParamsNonStreaming)


def _plain(value: Any) -> Any:
    """What the types have left: they drop members that they do not know, and read arrays late."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if value is None or isinstance(value, str | int | float):
        return value
    return [_plain(each) for each in value]


def to_anthropic(**members: Any) -> dict[str, Any]:
    """The translation of a chat request, after Anthropic's types have taken it."""
    body = {"model": "auto", "messages": [HI], **members}
    said: dict[str, Any] = json.loads(to_anthropic_request(json.dumps(body).encode(), "claude"))
    typed = {name: value for name, value in said.items() if name not in _UNTYPED}
    assert _plain(_anthropics().validate_python(typed)) == typed
    assert said.pop("model") == "claude"
    return said


def to_openai(**members: Any) -> dict[str, Any]:
    """The translation of a Messages request, after OpenAI's types have taken it."""
    body = {"model": "auto", "max_tokens": 9, "messages": [HI], **members}
    said: dict[str, Any] = json.loads(to_openai_request(json.dumps(body).encode(), "gpt"))
    typed = {name: value for name, value in said.items() if name != "stream"}
    assert _plain(_openais().validate_python(typed)) == typed
    assert said.pop("model") == "gpt"
    return said
