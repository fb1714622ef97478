"""Whole answers: a message of Anthropic's as a chat completion, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from prism.translate.chat_turns import arguments
from prism.translate.document import dump, load
from prism.translate.errors import anthropic_error, openai_error
from prism.translate.stops import anthropic_usage, finish_of, openai_usage, stop_of
from prism.translate.tools import call_id
from prism.translate.untranslatable import Untranslatable

_FIRST_ERROR = 400
_NO_ANSWER = "The provider's answer is not what its API says."


def to_openai_answer(body: bytes, status: int, *, created: int = 0) -> bytes:
    """A provider's answer by Anthropic's API as a chat completion, or an error of OpenAI's.

    ``created`` is the time that the completion tells, in seconds since 1970: Anthropic's
    answers have none.

    Raises:
        Untranslatable: it is a good answer by its status, but no message.
    """
    if status >= _FIRST_ERROR:
        return openai_error(body, status)
    said = _object(load(body), "message")
    return dump(
        {
            "id": str(said.get("id", "")),
            "object": "chat.completion",
            "created": created,
            "model": str(said.get("model", "")),
            "choices": [_choice(said)],
            "usage": openai_usage(mapping(said.get("usage"))),
        }
    )


def to_anthropic_answer(body: bytes, status: int) -> bytes:
    """A provider's chat completion as a message of Anthropic's API, or an error of that.

    Raises:
        Untranslatable: it is a good answer by its status, but no chat completion, or calls a
            tool with arguments that are no JSON object.
    """
    if status >= _FIRST_ERROR:
        return anthropic_error(body, status)
    said = _object(load(body), "chat.completion")
    choices = said.get("choices")
    if not isinstance(choices, list) or not choices:
        raise Untranslatable("choices", _NO_ANSWER)
    choice = mapping(choices[0])
    message = mapping(choice.get("message"))
    blocks = list(_blocks(message))
    called = any(block["type"] == "tool_use" for block in blocks)
    refused = bool(message.get("refusal"))
    return dump(
        {
            "id": str(said.get("id", "")),
            "type": "message",
            "role": "assistant",
            "model": str(said.get("model", "")),
            "content": blocks,
            "stop_reason": stop_of(choice.get("finish_reason"), called=called, refused=refused),
            "stop_sequence": None,
            "usage": anthropic_usage(mapping(said.get("usage"))),
        }
    )


def _object(value: object, kind: str) -> Mapping[str, Any]:
    """The answer; some that speak OpenAI's API leave ``object`` out."""
    name = "type" if kind == "message" else "object"
    if not isinstance(value, dict) or value.get(name, kind) != kind:
        raise Untranslatable("", _NO_ANSWER)
    return value


def mapping(value: object) -> Mapping[str, Any]:
    """An object of an answer, empty where it is none: a provider's answer is read leniently."""
    return value if isinstance(value, dict) else {}


def _choice(said: Mapping[str, Any]) -> dict[str, Any]:
    content = said.get("content")
    if not isinstance(content, list):
        raise Untranslatable("content", _NO_ANSWER)
    blocks = [mapping(block) for block in content]
    message: dict[str, Any] = {
        "role": "assistant",
        "content": _joined(blocks, "text"),
        "refusal": refusal_of(said),
    }
    # Not OpenAI's, but what most clients read: OpenAI never shows what its models thought.
    if thought := _joined(blocks, "thinking"):
        message["reasoning_content"] = thought
    if calls := [_tool_call(block) for block in blocks if block.get("type") == "tool_use"]:
        message["tool_calls"] = calls
    return {
        "index": 0,
        "message": message,
        "logprobs": None,
        "finish_reason": finish_of(said.get("stop_reason")),
    }


def refusal_of(said: Mapping[str, Any]) -> str | None:
    """Why Anthropic's safeguards stopped the answer, where they say so."""
    explanation = mapping(said.get("stop_details")).get("explanation")
    return explanation if isinstance(explanation, str) else None


def _joined(blocks: Iterable[Mapping[str, Any]], kind: str) -> str | None:
    texts = [str(block.get(kind, "")) for block in blocks if block.get("type") == kind]
    return "".join(texts) if texts else None


def _tool_call(block: Mapping[str, Any]) -> dict[str, Any]:
    given = dump(block.get("input") or {}).decode()
    function = {"name": str(block.get("name", "")), "arguments": given}
    return {"id": str(block.get("id", "")), "type": "function", "function": function}


def _blocks(message: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    """Text, refusal and calls. What the model thought is left out: a thinking block without
    Anthropic's signature would be refused when the client sends it back."""
    for name in ("content", "refusal"):
        if isinstance(text := message.get(name), str) and text:
            yield {"type": "text", "text": text}
    for index, value in enumerate(message.get("tool_calls") or ()):
        call = mapping(value)
        function = mapping(call.get("function"))
        path = f"choices[0].message.tool_calls[{index}].function.arguments"
        yield {
            "type": "tool_use",
            "id": call_id(str(call.get("id") or f"call_{index}")),
            "name": str(function.get("name", "")),
            "input": arguments(str(function.get("arguments") or ""), path),
        }
