"""A stream of Anthropic's Messages as a stream of chat completion chunks, while it comes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from prism.translate.answers import mapping, refusal_of
from prism.translate.document import dump, load
from prism.translate.errors import openai_error_value
from prism.translate.events import DONE, EventReader, EventTooLarge, data_frame
from prism.translate.stops import finish_of, openai_usage
from prism.translate.untranslatable import Untranslatable

_STATUS_OF_A_FAILURE = 500


class OpenAiStream:
    """Takes the bytes of Anthropic's stream, cut anywhere, and gives those of OpenAI's.

    ``created`` is the time that each chunk tells, in seconds since 1970. ``include_usage``: the
    caller asked for a last chunk with the usage (``stream_options``). Events of other types are
    skipped. An error inside the stream, or a stream that ends too early, becomes an error frame
    and ends the answer without ``[DONE]``, so that no client takes a part for the whole.
    """

    def __init__(self, *, created: int = 0, include_usage: bool = False) -> None:
        self._reader = EventReader()
        self._head: dict[str, Any] = {
            "id": "",
            "object": "chat.completion.chunk",
            "created": created,
            "model": "",
        }
        self._include_usage = include_usage
        self._usage: dict[str, Any] = {}
        self._calls = 0
        # The input that a tool's block began with, by the block's index; parts make it void.
        self._inputs: dict[int, Any] = {}
        self._over = False
        self._told_finish = False
        self._steps: Mapping[str, Callable[[Mapping[str, Any]], bytes]] = {
            "message_start": self._begin,
            "content_block_start": self._begin_block,
            "content_block_delta": self._go_on,
            "content_block_stop": self._end_block,
            "message_delta": self._finish,
            "message_stop": self._end,
            "error": self._fail,
        }

    def feed(self, chunk: bytes) -> bytes:
        """The frames that ``chunk`` completes; may be empty."""
        frames = bytearray()
        try:
            for event in self._reader.feed(chunk):
                if self._over:
                    break
                said = load(event.data)
                step = self._steps.get(str(mapping(said).get("type")))
                if step is not None:
                    frames += step(said)
        except Untranslatable:
            frames += self._broken("The provider sent an event that is not JSON.")
        except EventTooLarge:
            frames += self._broken("The provider sent an event that is too large.")
        return bytes(frames)

    def close(self) -> bytes:
        """What is to be said when the provider's stream has ended; empty where all was well."""
        if self._over:
            return b""
        return self._broken("The provider's stream ended before its answer did.")

    def _begin(self, event: Mapping[str, Any]) -> bytes:
        message = mapping(event.get("message"))
        self._head["id"] = str(message.get("id", ""))
        self._head["model"] = str(message.get("model", ""))
        self._usage.update(mapping(message.get("usage")))
        return self._chunk({"role": "assistant", "content": ""})

    def _begin_block(self, event: Mapping[str, Any]) -> bytes:
        block = mapping(event.get("content_block"))
        match block.get("type"):
            case "text" if block.get("text"):
                return self._chunk({"content": str(block["text"])})
            case "thinking" if block.get("thinking"):
                return self._chunk({"reasoning_content": str(block["thinking"])})
            case "tool_use":
                return self._begin_call(_index(event), block)
        return b""

    def _begin_call(self, index: int, block: Mapping[str, Any]) -> bytes:
        self._inputs[index] = block.get("input") or {}
        self._calls += 1
        function = {"name": str(block.get("name", "")), "arguments": ""}
        call = {"id": str(block.get("id", "")), "type": "function", "function": function}
        return self._chunk({"tool_calls": [{"index": self._calls - 1, **call}]})

    def _go_on(self, event: Mapping[str, Any]) -> bytes:
        delta = mapping(event.get("delta"))
        match delta.get("type"):
            case "text_delta":
                return self._chunk({"content": str(delta.get("text", ""))})
            case "thinking_delta":
                return self._chunk({"reasoning_content": str(delta.get("thinking", ""))})
            case "input_json_delta" if delta.get("partial_json"):
                self._inputs.pop(_index(event), None)
                return self._arguments(str(delta["partial_json"]))
        return b""

    def _arguments(self, part: str) -> bytes:
        call = {"index": max(0, self._calls - 1), "function": {"arguments": part}}
        return self._chunk({"tool_calls": [call]})

    def _end_block(self, event: Mapping[str, Any]) -> bytes:
        index = _index(event)
        if index not in self._inputs:
            return b""
        # No part of it came: what the block began with is all, and no input is "{}" to OpenAI.
        return self._arguments(dump(self._inputs.pop(index)).decode())

    def _finish(self, event: Mapping[str, Any]) -> bytes:
        # Counts are totals; those that are missing stay as they were.
        usage = mapping(event.get("usage"))
        self._usage.update({name: count for name, count in usage.items() if count is not None})
        said = mapping(event.get("delta"))
        reason = said.get("stop_reason")
        if reason is None or self._told_finish:
            return b""
        self._told_finish = True
        refusal = refusal_of(said)
        delta = {} if refusal is None else {"refusal": refusal}
        return self._chunk(delta, finish_of(reason))

    def _end(self, event: Mapping[str, Any]) -> bytes:
        self._over = True
        frames = b"" if self._told_finish else self._chunk({}, "stop")
        if self._include_usage:
            usage = openai_usage(self._usage)
            frames += data_frame({**self._head, "choices": [], "usage": usage})
        return frames + DONE

    def _fail(self, event: Mapping[str, Any]) -> bytes:
        self._over = True
        return data_frame(openai_error_value(event, _STATUS_OF_A_FAILURE))

    def _broken(self, message: str) -> bytes:
        return self._fail({"error": {"type": "api_error", "message": message}})

    def _chunk(self, delta: Mapping[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        usage = {"usage": None} if self._include_usage else {}
        return data_frame({**self._head, "choices": [choice], **usage})


def _index(event: Mapping[str, Any]) -> int:
    index = event.get("index")
    return index if isinstance(index, int) else 0
