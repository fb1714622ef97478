"""Why a model stopped, and what the answer cost, in the words of either API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FINISHES: Mapping[str, str] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    # The turn is not over; a client that sees "stop" would take it for whole.
    "pause_turn": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
"""Anthropic's stop reasons and OpenAI's finish reasons (``StopReason`` of Anthropic's SDK)."""

STOPS: Mapping[str, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}
"""The other way. OpenAI's API does not tell an end from a stop sequence."""


def finish_of(stop_reason: object) -> str:
    """OpenAI's finish reason; a stop reason that is not known is an end."""
    return FINISHES.get(str(stop_reason), "stop")


def stop_of(finish_reason: object, *, called: bool, refused: bool) -> str:
    """Anthropic's stop reason.

    ``called``: the answer calls tools. Some providers, and OpenAI's own API where a tool was
    demanded, say ``stop`` then, and Anthropic's clients would not call the tool. ``refused``:
    the model refused in words.
    """
    stop = STOPS.get(str(finish_reason), "end_turn")
    if stop == "end_turn" and called:
        return "tool_use"
    return "refusal" if stop == "end_turn" and refused else stop


def openai_usage(usage: Mapping[str, Any]) -> dict[str, Any]:
    """OpenAI's usage; its count of prompt tokens has those from and to the cache in it."""
    read = _count(usage.get("cache_read_input_tokens"))
    written = _count(usage.get("cache_creation_input_tokens"))
    prompt = _count(usage.get("input_tokens")) + read + written
    answer = _count(usage.get("output_tokens"))
    said: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": answer,
        "total_tokens": prompt + answer,
        "prompt_tokens_details": {"cached_tokens": read, "cache_write_tokens": written},
    }
    if isinstance(details := usage.get("output_tokens_details"), dict):
        thought = _count(details.get("thinking_tokens"))
        said["completion_tokens_details"] = {"reasoning_tokens": thought}
    return said


def anthropic_usage(usage: Mapping[str, Any]) -> dict[str, Any]:
    """Anthropic's usage; its count of input tokens leaves out those from and to the cache."""
    prompt = _details(usage, "prompt_tokens_details")
    read = _count(prompt.get("cached_tokens"))
    written = _count(prompt.get("cache_write_tokens"))
    said: dict[str, Any] = {
        "input_tokens": max(0, _count(usage.get("prompt_tokens")) - read - written),
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
        "output_tokens": _count(usage.get("completion_tokens")),
    }
    thought = _count(_details(usage, "completion_tokens_details").get("reasoning_tokens"))
    if thought:
        said["output_tokens_details"] = {"thinking_tokens": thought}
    return said


def _details(usage: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    details = usage.get(name)
    return details if isinstance(details, dict) else {}


def _count(value: object) -> int:
    """A count of tokens; what is no count is none."""
    return value if isinstance(value, int) and value > 0 else 0
