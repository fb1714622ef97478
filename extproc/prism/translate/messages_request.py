"""A request of Anthropic's Messages as a Chat Completions request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prism.translate.document import dump, load
from prism.translate.fields import Fields
from prism.translate.message_turns import messages_of
from prism.translate.tools import openai_choice, openai_tools
from prism.translate.untranslatable import Untranslatable

IGNORED: Mapping[str, str] = {
    "cache_control": "where cached prefixes end; OpenAI's API caches by itself",
    "prism": "what Prism is asked",
}
"""Members that are left out, and what they are: none changes what is answered."""

REFUSED: Mapping[str, str] = {
    "container": "OpenAI's chat API runs no code in containers.",
    "context_management": "OpenAI's chat API does not shorten conversations.",
    "diagnostics": "OpenAI's API has no diagnostics of its cache.",
    "inference_geo": "OpenAI's API can't be told where to run a request.",
    "mcp_servers": "OpenAI's chat API calls no MCP servers.",
    "top_k": "OpenAI's API has no top_k.",
    "user_profile_id": "OpenAI's API has no user profiles.",
}
"""Members that are refused whatever they say, and why."""

_MOST_STOPS = 4
_EFFORTS = ("low", "medium", "high", "xhigh", "max")


def to_openai_request(body: bytes, model: str) -> bytes:
    """The request for ``model`` (its upstream name) of a provider with OpenAI's API.

    A stream is asked to tell its usage, which every stream of Anthropic's API does.

    Raises:
        Untranslatable: it asks for what OpenAI's Chat Completions can't say.
    """
    asked = Fields(load(body))
    asked.ignore(["model", *IGNORED])
    asked.refuse(REFUSED)
    turns = asked.need("messages", list)
    said: dict[str, Any] = {"model": model, "messages": messages_of(turns, asked.any("system"))}
    bound = asked.need("max_tokens", int)
    if bound < 1:
        raise Untranslatable("max_tokens", "OpenAI's API can't fill its cache without an answer.")
    said["max_completion_tokens"] = bound
    said |= _tools(asked) | _sampling(asked) | _form(asked) | _caller(asked)
    if asked.get("stream", bool):
        said |= {"stream": True, "stream_options": {"include_usage": True}}
    asked.done()
    return dump(said)


def _tools(asked: Fields) -> dict[str, Any]:
    said: dict[str, Any] = {}
    if tools := asked.get("tools", list):
        said["tools"] = openai_tools(tools)
    if (choice := asked.get("tool_choice", dict)) is not None:
        said |= openai_choice(choice)
    return said


def _sampling(asked: Fields) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for name in ("temperature", "top_p"):
        if (value := asked.number(name)) is not None:
            said[name] = value
    stops = asked.get("stop_sequences", list) or []
    if len(stops) > _MOST_STOPS:
        reason = f"OpenAI's API takes {_MOST_STOPS} stop sequences at most."
        raise Untranslatable("stop_sequences", reason)
    if stops:
        said["stop"] = stops
    return said


def _form(asked: Fields) -> dict[str, Any]:
    """How the answer is to look, and how much thought is to go into it."""
    said: dict[str, Any] = {}
    if (thinking := asked.get("thinking", dict)) is not None:
        _check_thinking(Fields(thinking, "thinking"))
    output = Fields(asked.get("output_config", dict) or {}, "output_config")
    form = output.get("format", dict)
    if (effort := output.get("effort", str)) is not None:
        if effort not in _EFFORTS:
            raise Untranslatable("output_config.effort", "OpenAI's API has no such effort.")
        said["reasoning_effort"] = effort
    output.done()
    if form is not None:
        said["response_format"] = _response_format(Fields(form, "output_config.format"))
    return said


def _check_thinking(thinking: Fields) -> None:
    """Thinking that the model decides on, or none to be shown, is what OpenAI's API does."""
    kind = thinking.need("type", str)
    if kind not in ("adaptive", "disabled"):
        reason = "OpenAI's API has no budget of thinking; set 'output_config.effort'."
        raise Untranslatable("thinking.type", reason)
    thinking.ignore(["display"])
    thinking.done()


def _response_format(form: Fields) -> dict[str, Any]:
    if (kind := form.need("type", str)) != "json_schema":
        raise Untranslatable(form.at("type"), f"OpenAI's API has no format {kind[:40]!r}.")
    schema = form.need("schema", dict)
    form.done()
    described = {"name": "answer", "schema": schema, "strict": True}
    return {"type": "json_schema", "json_schema": described}


def _caller(asked: Fields) -> dict[str, Any]:
    said: dict[str, Any] = {}
    if (metadata := asked.get("metadata", dict)) is not None:
        given = Fields(metadata, "metadata")
        if (user := given.get("user_id", str)) is not None:
            said["user"] = user
        given.done()
    match asked.get("service_tier", str):
        case None | "auto":
            pass
        case "standard_only":
            said["service_tier"] = "default"
        case tier:
            raise Untranslatable("service_tier", f"OpenAI's API has no tier like {tier[:40]!r}.")
    if asked.get("speed", str) not in (None, "standard"):
        raise Untranslatable("speed", "OpenAI's API has no such speed.")
    return said
