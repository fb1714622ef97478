"""Responses: ``POST /responses``, simple in shape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from prism.providers import frame
from prism.providers.answer import Answer, Frame, Reply, answer_to
from prism.providers.ask import Ask, Refusal, TokenBound, Tool, called_tool, text_of
from prism.providers.document import read
from prism.providers.spec import ProviderSpec

_IMAGES = frozenset({"input_image"})


class _Text(msgspec.Struct):
    format: dict[str, Any] | None = None


class _Request(msgspec.Struct):
    model: str
    input: str | list[dict[str, Any]] = ""
    instructions: str | None = None
    stream: bool | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    text: _Text | None = None
    max_output_tokens: TokenBound | None = None


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
        plain=lambda: _response(answer, [_item(answer)], _status(answer)),
        frames=lambda: _frames(answer),
    )


def _asked(request: _Request) -> Ask:
    items = request.input
    if isinstance(items, str):
        items = [{"role": "user", "content": items}]
    chars = len(request.instructions or "")
    images = 0
    last = ""
    for item in items:
        text, length, seen = text_of(item.get("content"), _IMAGES)
        chars += length
        images += seen
        if item.get("role") == "user":
            last = text
    answers_tool = bool(items) and items[-1].get("type") == "function_call_output"
    tools = [_tool(each) for each in request.tools or () if each.get("type") == "function"]
    return Ask(
        model=request.model,
        last_text=last,
        prompt_chars=chars,
        images=images,
        max_tokens=request.max_output_tokens,
        stream=bool(request.stream),
        call=None if answers_tool else called_tool(tools, request.tool_choice),
        schema=_schema(request.text.format if request.text else None),
    )


def _tool(tool: Mapping[str, Any]) -> Tool:
    if not isinstance(name := tool.get("name"), str):
        message = "Missing required parameter: 'tools[0].name'."
        raise Refusal(400, message, "missing_required_parameter", "tools")
    return Tool(name, tool.get("parameters") or {"type": "object"})


def _schema(wanted: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    match wanted:
        case {"type": "json_schema", "schema": dict(schema)}:
            return schema
        case {"type": "json_object" | "json_schema"}:
            return {}
    return None


def _status(answer: Answer) -> str:
    return "incomplete" if answer.cut else "completed"


def _response(answer: Answer, output: list[Any], status: str) -> dict[str, Any]:
    done = status != "in_progress"
    usage = {
        "input_tokens": answer.prompt_tokens,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": answer.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": answer.total_tokens,
    }
    return {
        "id": answer.id("resp_"),
        "object": "response",
        "created_at": answer.created,
        "status": status,
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
        "instructions": None,
        "metadata": {},
        "model": answer.model,
        "output": output,
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": usage if done else None,
    }


def _item(answer: Answer, status: str = "completed") -> dict[str, Any]:
    """The one item of output; in progress it is still empty."""
    done = status != "in_progress"
    if answer.call is not None:
        return {
            "type": "function_call",
            "id": answer.id("fc_"),
            "call_id": answer.id("call_"),
            "name": answer.call.name,
            "arguments": answer.call.arguments if done else "",
            "status": status,
        }
    return {
        "type": "message",
        "id": answer.id("msg_"),
        "role": "assistant",
        "status": status,
        "content": [_part(answer.text)] if done else [],
    }


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _frames(answer: Answer) -> Iterator[Frame]:
    for number, (event, tokens) in enumerate(_events(answer)):
        yield frame.event({**event, "sequence_number": number}, tokens)


def _events(answer: Answer) -> Iterator[tuple[dict[str, Any], int]]:
    begun = _response(answer, [], "in_progress")
    yield {"type": "response.created", "response": begun}, 0
    yield {"type": "response.in_progress", "response": begun}, 0
    started = _item(answer, "in_progress")
    yield {"type": "response.output_item.added", "output_index": 0, "item": started}, 0
    tokens = 0
    for event, tokens in _content(answer, {"item_id": started["id"], "output_index": 0}):
        yield event, tokens
    item = _item(answer)
    yield {"type": "response.output_item.done", "output_index": 0, "item": item}, tokens
    status = _status(answer)
    whole = _response(answer, [item], status)
    yield {"type": f"response.{status}", "response": whole}, tokens


def _content(answer: Answer, at: dict[str, Any]) -> Iterator[tuple[dict[str, Any], int]]:
    tokens = 0
    if answer.call is not None:
        name = "response.function_call_arguments"
        for tokens, piece in enumerate(answer.pieces(), 1):
            yield {"type": f"{name}.delta", **at, "delta": piece}, tokens
        done = {"name": answer.call.name, "arguments": answer.call.arguments}
        yield {"type": f"{name}.done", **at, **done}, tokens
        return
    at = {**at, "content_index": 0}
    yield {"type": "response.content_part.added", **at, "part": _part("")}, 0
    for tokens, piece in enumerate(answer.pieces(), 1):
        yield {"type": "response.output_text.delta", **at, "delta": piece, "logprobs": []}, tokens
    text = answer.text
    yield {"type": "response.output_text.done", **at, "text": text, "logprobs": []}, tokens
    yield {"type": "response.content_part.done", **at, "part": _part(text)}, tokens
