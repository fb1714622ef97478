"""Anthropic's Messages: ``POST /messages``, the least of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from prism.providers import frame
from prism.providers.answer import Answer, Frame, Reply, answer_to
from prism.providers.ask import Ask, Refusal, TokenBound, Tool, called_tool, text_of
from prism.providers.document import read
from prism.providers.spec import ProviderSpec

_IMAGES = frozenset({"image"})


class _Message(msgspec.Struct):
    role: str
    content: str | list[Any]


class _Request(msgspec.Struct):
    model: str
    max_tokens: TokenBound
    messages: list[_Message]
    system: str | list[Any] | None = None
    stream: bool | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: dict[str, Any] | None = None


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
        plain=lambda: _message(answer, done=True),
        frames=lambda: _frames(answer),
    )


def _asked(request: _Request) -> Ask:
    if not request.messages:
        raise Refusal(400, "messages: at least one message is required")
    chars = text_of(request.system, _IMAGES)[1]
    images = 0
    last = ""
    for message in request.messages:
        text, length, seen = text_of(message.content, _IMAGES)
        chars += length
        images += seen
        if message.role == "user":
            last = text
    return Ask(
        model=request.model,
        last_text=last,
        prompt_chars=chars,
        images=images,
        max_tokens=request.max_tokens,
        stream=bool(request.stream),
        call=_call(request),
    )


def _call(request: _Request) -> Tool | None:
    content = request.messages[-1].content
    if isinstance(content, list) and any(
        isinstance(part, dict) and part.get("type") == "tool_result" for part in content
    ):
        return None
    tools = [
        Tool(str(each.get("name", "")), each.get("input_schema") or {"type": "object"})
        for each in request.tools or ()
    ]
    choice = request.tool_choice or {}
    return called_tool(tools, "none" if choice.get("type") == "none" else choice)


def _message(answer: Answer, *, done: bool) -> dict[str, Any]:
    """The message; not done, it is what a stream starts with."""
    return {
        "id": answer.id("msg_"),
        "type": "message",
        "role": "assistant",
        "model": answer.model,
        "content": [_block(answer, done=True)] if done else [],
        "stop_reason": _stop(answer) if done else None,
        "stop_sequence": None,
        "usage": {
            "input_tokens": answer.prompt_tokens,
            "output_tokens": answer.completion_tokens if done else 1,
        },
    }


def _stop(answer: Answer) -> str:
    if answer.call is not None:
        return "tool_use"
    return "max_tokens" if answer.cut else "end_turn"


def _block(answer: Answer, *, done: bool) -> Mapping[str, Any]:
    if answer.call is None:
        return {"type": "text", "text": answer.text if done else ""}
    given = msgspec.json.decode(answer.call.arguments) if done else {}
    name = answer.call.name
    return {"type": "tool_use", "id": answer.id("toolu_"), "name": name, "input": given}


def _frames(answer: Answer) -> Iterator[Frame]:
    yield frame.event({"type": "message_start", "message": _message(answer, done=False)}, 0)
    block = _block(answer, done=False)
    yield frame.event({"type": "content_block_start", "index": 0, "content_block": block}, 0)
    yield frame.event({"type": "ping"}, 0)
    kind, word = ("text_delta", "text") if answer.call is None else _INPUT
    tokens = 0
    for tokens, piece in enumerate(answer.pieces(), 1):
        delta = {"type": kind, word: piece}
        yield frame.event({"type": "content_block_delta", "index": 0, "delta": delta}, tokens)
    yield frame.event({"type": "content_block_stop", "index": 0}, tokens)
    stop = {"stop_reason": _stop(answer), "stop_sequence": None}
    usage = {"output_tokens": answer.completion_tokens}
    yield frame.event({"type": "message_delta", "delta": stop, "usage": usage}, tokens)
    yield frame.event({"type": "message_stop"}, tokens)


_INPUT = ("input_json_delta", "partial_json")
