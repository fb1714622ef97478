"""Anthropic's Messages: what is answered, at once or as a stream."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from prism.providers import frame
from prism.providers.answer import Answer, Frame
from prism.providers.messages_size import Size

_TOKEN = 4  # characters
_SIGNATURE = "EqQBCkYIBhgCKkBzaW11bGF0ZWQ="


@dataclass(frozen=True, slots=True)
class Extras:
    """What an answer has here besides: ``thought`` is empty where the model does not think."""

    size: Size
    thought: str
    stops: Sequence[str] | None


@dataclass(frozen=True, slots=True)
class Said:
    """An answer in the shape of Anthropic's API."""

    answer: Answer
    extras: Extras

    @property
    def output_tokens(self) -> int:
        """The tokens of the answer and of what was thought before it."""
        return self.answer.completion_tokens + self._thought_tokens

    @property
    def _thought_tokens(self) -> int:
        return -(-len(self.extras.thought) // _TOKEN)

    @property
    def _stop(self) -> tuple[int, str | None]:
        """Where the text ends, and the stop sequence that ends it."""
        text = self.answer.text
        found = [(at, stop) for stop in self.extras.stops or () if (at := text.find(stop)) >= 0]
        return min(found) if found and self.answer.call is None else (len(text), None)

    def message(self) -> dict[str, Any]:
        """The whole message."""
        blocks = [{**block, **self._filled(block)} for block in self._blocks()]
        return self._message(blocks, self._ending(), self._usage(self.output_tokens))

    def frames(self) -> Iterator[Frame]:
        """The same as a stream."""
        started = self._message([], {"stop_reason": None, "stop_sequence": None}, self._usage(1))
        yield frame.event({"type": "message_start", "message": started}, 0)
        tokens = 0
        for index, block in enumerate(self._blocks()):
            start = {"type": "content_block_start", "index": index, "content_block": block}
            yield frame.event(start, tokens)
            if index == 0:
                yield frame.event({"type": "ping"}, tokens)
            for delta in self._deltas(block):
                tokens += delta["type"] != "signature_delta"
                event = {"type": "content_block_delta", "index": index, "delta": delta}
                yield frame.event(event, tokens)
            yield frame.event({"type": "content_block_stop", "index": index}, tokens)
        usage = self._usage(self.output_tokens)
        last = {"type": "message_delta", "delta": self._ending(), "usage": usage}
        yield frame.event(last, tokens)
        yield frame.event({"type": "message_stop"}, tokens)

    def _blocks(self) -> list[dict[str, Any]]:
        """The blocks as a stream begins them: without content."""
        thinking = {"type": "thinking", "thinking": "", "signature": ""}
        block: dict[str, Any] = {"type": "text", "text": ""}
        if (call := self.answer.call) is not None:
            id_ = self.answer.id("toolu_")
            block = {"type": "tool_use", "id": id_, "name": call.name, "input": {}}
        return [thinking, block] if self.extras.thought else [block]

    def _filled(self, block: Mapping[str, Any]) -> dict[str, Any]:
        """The content of a block."""
        match block["type"]:
            case "thinking":
                return {"thinking": self.extras.thought, "signature": _SIGNATURE}
            case "text":
                return {"text": self.answer.text[: self._stop[0]]}
        call = self.answer.call
        return {"input": msgspec.json.decode(call.arguments) if call else {}}

    def _deltas(self, block: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        filled = self._filled(block)
        match block["type"]:
            case "thinking":
                for piece in _pieces(filled["thinking"]):
                    yield {"type": "thinking_delta", "thinking": piece}
                yield {"type": "signature_delta", "signature": filled["signature"]}
            case "text":
                for piece in _pieces(filled["text"]):
                    yield {"type": "text_delta", "text": piece}
            case _:
                for piece in self.answer.pieces():
                    yield {"type": "input_json_delta", "partial_json": piece}

    def _message(
        self, content: list[dict[str, Any]], ending: Mapping[str, Any], usage: Mapping[str, Any]
    ) -> dict[str, Any]:
        return {
            "id": self.answer.id("msg_"),
            "type": "message",
            "role": "assistant",
            "model": self.answer.model,
            "content": content,
            **ending,
            "usage": usage,
        }

    def _ending(self) -> dict[str, Any]:
        stop = self._stop[1]
        if self.answer.call is not None:
            reason = "tool_use"
        elif stop is not None:
            reason = "stop_sequence"
        else:
            reason = "max_tokens" if self.answer.cut else "end_turn"
        return {"stop_reason": reason, "stop_sequence": stop}

    def _usage(self, output_tokens: int) -> dict[str, Any]:
        size = self.extras.size
        usage: dict[str, Any] = {
            "input_tokens": size.tokens - size.read - size.written,
            "cache_creation_input_tokens": size.written,
            "cache_read_input_tokens": size.read,
            "output_tokens": output_tokens,
        }
        if self.extras.thought:
            usage["output_tokens_details"] = {"thinking_tokens": self._thought_tokens}
        return usage


def _pieces(text: str) -> Iterator[str]:
    return (text[at : at + _TOKEN] for at in range(0, len(text), _TOKEN))
