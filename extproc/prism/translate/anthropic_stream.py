"""A stream of chat completion chunks as a stream of Anthropic's Messages, while it comes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prism.translate.answers import mapping
from prism.translate.document import load
from prism.translate.errors import anthropic_error_value
from prism.translate.events import EventReader, EventTooLarge, event_frame
from prism.translate.stops import anthropic_usage, stop_of
from prism.translate.tools import call_id
from prism.translate.untranslatable import Untranslatable

_END = "[DONE]"
_MIXED = "The provider mixed the parts of several tool calls, which Anthropic's stream can't say."


class AnthropicStream:
    """Takes the bytes of OpenAI's stream, cut anywhere, and gives those of Anthropic's.

    Anthropic's stream tells the input tokens at its start and OpenAI's at its end: they are 0
    in ``message_start`` and right in ``message_delta``, whose counts replace the earlier ones.
    An error inside the stream, or a stream that ends too early, becomes an ``error`` event
    and ends the answer.
    """

    def __init__(self) -> None:
        self._reader = EventReader()
        self._begun = False
        self._over = False
        self._blocks = 0
        self._open = ""
        self._call: tuple[Any, Any] = (None, None)
        self._earlier: set[Any] = set()
        self._finish: object = None
        self._refused = False
        self._usage: Mapping[str, Any] = {}

    def feed(self, chunk: bytes) -> bytes:
        """The events that ``chunk`` completes; may be empty."""
        frames = bytearray()
        try:
            for event in self._reader.feed(chunk):
                if self._over:
                    break
                frames += self._step(event.data)
        except Untranslatable as problem:
            reason = problem.reason if problem.path else "The provider sent what is not JSON."
            frames += self._fail(_failure(reason))
        except EventTooLarge:
            frames += self._fail(_failure("The provider sent an event that is too large."))
        return bytes(frames)

    def close(self) -> bytes:
        """What is to be said when the provider's stream has ended; empty where all was well."""
        if self._over:
            return b""
        if self._finish is not None:
            return self._end()
        return self._fail(_failure("The provider's stream ended before its answer did."))

    def _step(self, data: str) -> bytes:
        if data.strip() == _END:
            return self._end() if self._begun else self.close()
        chunk = mapping(load(data))
        if chunk.get("error"):
            return self._fail(chunk)
        choices = chunk.get("choices")
        if not isinstance(choices, list):
            return b""
        frames = b"" if self._begun else self._begin(chunk)
        self._usage = mapping(chunk.get("usage")) or self._usage
        for choice in map(mapping, choices):
            if not choice.get("index"):
                frames += self._delta(mapping(choice.get("delta")))
                self._finish = choice.get("finish_reason") or self._finish
        return frames

    def _begin(self, chunk: Mapping[str, Any]) -> bytes:
        self._begun = True
        message: dict[str, Any] = {
            "id": str(chunk.get("id", "")),
            "type": "message",
            "role": "assistant",
            "model": str(chunk.get("model", "")),
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": anthropic_usage({}),
        }
        return event_frame({"type": "message_start", "message": message})

    def _delta(self, delta: Mapping[str, Any]) -> bytes:
        frames = b""
        for name in ("content", "refusal"):
            if isinstance(text := delta.get(name), str) and text:
                self._refused = self._refused or name == "refusal"
                frames += self._text(text)
        calls = delta.get("tool_calls")
        for call in map(mapping, calls if isinstance(calls, list) else ()):
            frames += self._part_of_a_call(call)
        return frames

    def _text(self, text: str) -> bytes:
        frames = b""
        if self._open != "text":
            frames = self._close_block() + self._open_block({"type": "text", "text": ""})
        return frames + self._block_delta({"type": "text_delta", "text": text})

    def _part_of_a_call(self, call: Mapping[str, Any]) -> bytes:
        function = mapping(call.get("function"))
        frames = b""
        if self._is_new(call):
            frames = self._open_call(call, function)
        if not (part := function.get("arguments")):
            return frames
        if self._open != "tool_use":
            raise Untranslatable("tool_calls", _MIXED)
        delta = {"type": "input_json_delta", "partial_json": str(part)}
        return frames + self._block_delta(delta)

    def _is_new(self, call: Mapping[str, Any]) -> bool:
        """Whether a part begins another call: it has another index, or another id."""
        index, name = call.get("index"), call.get("id")
        last_index, last_name = self._call
        if index == last_index:
            return bool(name) and name != last_name
        if index in self._earlier:
            raise Untranslatable("tool_calls", _MIXED)
        return index is not None or bool(name)

    def _open_call(self, call: Mapping[str, Any], function: Mapping[str, Any]) -> bytes:
        index, name = call.get("index"), call.get("id") or f"call_{self._blocks}"
        self._earlier.add(self._call[0])
        self._earlier.discard(index)
        self._call = (index, name)
        block = {
            "type": "tool_use",
            "id": call_id(str(name)),
            "name": str(function.get("name") or ""),
            "input": {},
        }
        return self._close_block() + self._open_block(block)

    def _open_block(self, block: dict[str, Any]) -> bytes:
        self._open = block["type"]
        start = {"type": "content_block_start", "index": self._blocks, "content_block": block}
        return event_frame(start)

    def _block_delta(self, delta: dict[str, Any]) -> bytes:
        return event_frame({"type": "content_block_delta", "index": self._blocks, "delta": delta})

    def _close_block(self) -> bytes:
        if not self._open:
            return b""
        self._open = ""
        self._blocks += 1
        return event_frame({"type": "content_block_stop", "index": self._blocks - 1})

    def _end(self) -> bytes:
        self._over = True
        called = self._call != (None, None)
        stop = stop_of(self._finish, called=called, refused=self._refused)
        frames = self._close_block()
        delta = {"stop_reason": stop, "stop_sequence": None}
        usage = anthropic_usage(self._usage)
        frames += event_frame({"type": "message_delta", "delta": delta, "usage": usage})
        return frames + event_frame({"type": "message_stop"})

    def _fail(self, error: Mapping[str, Any]) -> bytes:
        self._over = True
        return event_frame(anthropic_error_value(error, None))


def _failure(message: str) -> dict[str, Any]:
    return {"error": {"type": "api_error", "message": message}}
