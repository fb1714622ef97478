"""Chat Completions: ``POST /chat/completions``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from prism.providers import frame
from prism.providers.answer import FINGERPRINT, Answer, Frame, Reply, answer_to
from prism.providers.ask import Ask, Refusal, TokenBound, Tool, called_tool, text_of
from prism.providers.document import read
from prism.providers.spec import ProviderSpec

_IMAGES = frozenset({"image_url"})


class _Message(msgspec.Struct):
    role: str
    content: str | list[Any] | None = None


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class _Request(msgspec.Struct):
    model: str
    messages: list[_Message]
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    response_format: dict[str, Any] | None = None
    max_tokens: TokenBound | None = None
    max_completion_tokens: TokenBound | None = None


_decoder = msgspec.json.Decoder(_Request)


def reply(body: bytes, spec: ProviderSpec) -> Reply:
    """What the provider says to a request.

    Raises:
        Refusal: the request is wrong.
    """
    ask = _asked(read(_decoder, body))
    answer = answer_to(ask, spec, body)
    return Reply(
        model=ask.model,
        tokens=answer.completion_tokens,
        stream=ask.stream,
        plain=lambda: _plain(answer),
        frames=lambda: _frames(answer, ask.include_usage),
    )


def _asked(request: _Request) -> Ask:
    if not request.messages:
        raise Refusal(400, "Invalid 'messages': empty array.", "empty_array", "messages")
    chars = images = 0
    last = ""
    for message in request.messages:
        text, length, seen = text_of(message.content, _IMAGES)
        chars += length
        images += seen
        if message.role == "user":
            last = text
    answers_tool = request.messages[-1].role in ("tool", "function")
    tools = [] if answers_tool else [_tool(each) for each in request.tools or ()]
    return Ask(
        model=request.model,
        last_text=last,
        prompt_chars=chars,
        images=images,
        max_tokens=request.max_completion_tokens or request.max_tokens,
        stream=bool(request.stream),
        include_usage=bool(request.stream_options and request.stream_options.include_usage),
        call=called_tool(tools, request.tool_choice),
        schema=_schema(request.response_format),
    )


def _tool(tool: Mapping[str, Any]) -> Tool:
    function = tool.get("function")
    if not isinstance(function, dict) or not isinstance(name := function.get("name"), str):
        message = "Missing required parameter: 'tools[0].function.name'."
        raise Refusal(400, message, "missing_required_parameter", "tools")
    return Tool(name, function.get("parameters") or {"type": "object"})


def _schema(wanted: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    match wanted:
        case {"type": "json_schema", "json_schema": {"schema": dict(schema)}}:
            return schema
        case {"type": "json_object" | "json_schema"}:
            return {}
    return None


def _usage(answer: Answer) -> dict[str, Any]:
    return {
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.completion_tokens,
        "total_tokens": answer.total_tokens,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def _finish(answer: Answer) -> str:
    if answer.call is not None:
        return "tool_calls"
    return "length" if answer.cut else "stop"


def _plain(answer: Answer) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": answer.text, "refusal": None}
    if answer.call is not None:
        message["content"] = None
        function = {"name": answer.call.name, "arguments": answer.call.arguments}
        message["tool_calls"] = [
            {"id": answer.id("call_"), "type": "function", "function": function}
        ]
    choice = {
        "index": 0,
        "message": message,
        "logprobs": None,
        "finish_reason": _finish(answer),
    }
    return {**_head(answer, "chat.completion"), "choices": [choice], "usage": _usage(answer)}


def _head(answer: Answer, kind: str) -> dict[str, Any]:
    return {
        "id": answer.id("chatcmpl-"),
        "object": kind,
        "created": answer.created,
        "model": answer.model,
        "service_tier": "default",
        "system_fingerprint": FINGERPRINT,
    }


def _frames(answer: Answer, include_usage: bool) -> Iterator[Frame]:
    head = _head(answer, "chat.completion.chunk")
    if include_usage:
        head["usage"] = None

    def chunk(delta: Mapping[str, Any], tokens: int, finish: str | None = None) -> Frame:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return frame.data({**head, "choices": [choice]}, tokens)

    yield chunk(_first_delta(answer), 0)
    tokens = 0
    for tokens, piece in enumerate(answer.pieces(), 1):
        yield chunk(_delta(answer, piece), tokens)
    yield chunk({}, tokens, _finish(answer))
    if include_usage:
        yield frame.data({**head, "choices": [], "usage": _usage(answer)}, tokens)
    yield Frame(frame.DONE, tokens)


def _first_delta(answer: Answer) -> dict[str, Any]:
    if answer.call is None:
        return {"role": "assistant", "content": "", "refusal": None}
    function = {"name": answer.call.name, "arguments": ""}
    call = {"index": 0, "id": answer.id("call_"), "type": "function", "function": function}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def _delta(answer: Answer, piece: str) -> dict[str, Any]:
    if answer.call is None:
        return {"content": piece}
    calls: Sequence[object] = [{"index": 0, "function": {"arguments": piece}}]
    return {"tool_calls": calls}
