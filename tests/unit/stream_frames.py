"""Streams of either API, frame by frame, for tests of their translation."""

from __future__ import annotations

import json
from typing import Any

from prism.translate import AnthropicStream, OpenAiStream

START = {
    "type": "message_start",
    "message": {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": [],
        "stop_reason": None,
        "usage": {"input_tokens": 5, "cache_read_input_tokens": 7, "output_tokens": 1},
    },
}
STOP: Any = {"type": "message_stop"}
HEAD = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt"}


def events(*values: Any) -> bytes:
    """Anthropic's frames."""
    frames = (f"event: {value['type']}\ndata: {json.dumps(value)}\n\n" for value in values)
    return "".join(frames).encode()


def block(index: int, content: Any, *deltas: Any) -> list[Any]:
    start = {"type": "content_block_start", "index": index, "content_block": content}
    parts = [{"type": "content_block_delta", "index": index, "delta": each} for each in deltas]
    return [start, *parts, {"type": "content_block_stop", "index": index}]


def said(index: int, *texts: str) -> list[Any]:
    parts = ({"type": "text_delta", "text": each} for each in texts)
    return block(index, {"type": "text", "text": ""}, *parts)


def used(index: int, name: str, *parts: str, given: Any = None) -> list[Any]:
    deltas = ({"type": "input_json_delta", "partial_json": part} for part in parts)
    tool = {"type": "tool_use", "id": f"toolu_{index}", "name": name, "input": given or {}}
    return block(index, tool, *deltas)


def ended(reason: str, tokens: int = 9) -> list[Any]:
    delta = {"stop_reason": reason, "stop_sequence": None}
    return [{"type": "message_delta", "delta": delta, "usage": {"output_tokens": tokens}}, STOP]


def chunks(*choices: Any, usage: Any = None, done: bool = True, **more: Any) -> bytes:
    """OpenAI's frames: a delta, or a delta and why it ended; then usage and the end."""
    values: list[Any] = []
    for choice in choices:
        delta, finish = choice if isinstance(choice, tuple) else (choice, None)
        values.append({**HEAD, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
    if usage is not None:
        values.append({**HEAD, "choices": [], "usage": usage})
    frames = "".join(f"data: {json.dumps(value)}\n\n" for value in values)
    return (frames + ("data: [DONE]\n\n" if done else "")).encode()


def part(index: int | None, arguments: str, id_: str | None = None, name: str | None = None) -> Any:
    call: dict[str, Any] = {"function": {"arguments": arguments}}
    if index is not None:
        call["index"] = index
    if id_ is not None:
        call["id"] = id_
    if name is not None:
        call["function"]["name"] = name
    return {"tool_calls": [call]}


def to_openai(stream: bytes, **how: Any) -> bytes:
    translation = OpenAiStream(**how)
    return translation.feed(stream) + translation.close()


def to_anthropic(stream: bytes) -> bytes:
    translation = AnthropicStream()
    return translation.feed(stream) + translation.close()


# Events of Anthropic's, and the content, calls and finish reason that OpenAI's SDK adds up.
