"""A Chat Completions request as a request of Anthropic's Messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prism.translate.chat_turns import conversation_of, shortest
from prism.translate.document import dump, load
from prism.translate.fields import Fields, each
from prism.translate.tools import anthropic_choice, anthropic_tools
from prism.translate.untranslatable import Untranslatable

DEFAULT_MAX_TOKENS = 16_384
"""Anthropic's API wants a bound and OpenAI's does not; every model since Claude 4 allows this."""

IGNORED: Mapping[str, str] = {
    "metadata": "labels of stored answers",
    "prediction": "a hint for speed",
    "prompt_cache_key": "how OpenAI's caches are used",
    "prompt_cache_options": "how OpenAI's caches are used",
    "prompt_cache_retention": "how OpenAI's caches are used",
    "seed": "a wish that OpenAI itself does not promise to fulfil",
    "prism": "what Prism is asked",
}
"""Members that are left out, and what they are: none changes what is answered."""

REFUSED: Mapping[str, str] = {
    "audio": "Anthropic's API has no audio.",
    "function_call": "Functions of the older kind are not translated; use 'tool_choice'.",
    "functions": "Functions of the older kind are not translated; use 'tools'.",
    "moderation": "Anthropic's API has no moderation of OpenAI's.",
    "web_search_options": "OpenAI's web search can't be asked of Anthropic's API.",
}
"""Members that are refused whatever they say, and why."""

# Value by which each asks for nothing, and why any other is refused.
UNASKED: Mapping[str, tuple[Any, str]] = {
    "frequency_penalty": (0, "Anthropic's API has no penalties."),
    "logit_bias": ({}, "Anthropic's API has no bias of tokens."),
    "logprobs": (False, "Anthropic's API tells no probabilities."),
    "modalities": (["text"], "Anthropic's models answer in text only."),
    "n": (1, "Anthropic's API gives one answer."),
    "presence_penalty": (0, "Anthropic's API has no penalties."),
    "store": (False, "Anthropic's API stores no answers."),
    "top_logprobs": (0, "Anthropic's API tells no probabilities."),
    "verbosity": ("medium", "Anthropic's API has no verbosity."),
}
"""Members that may ask for nothing: they are left out then, and refused otherwise."""

_TIERS = {"auto": "auto", "default": "standard_only"}
_EFFORTS = ("low", "medium", "high", "xhigh", "max")
_HOTTEST = 1


def to_anthropic_request(body: bytes, model: str, *, max_tokens: int = DEFAULT_MAX_TOKENS) -> bytes:
    """The request for ``model`` (its upstream name) of a provider with Anthropic's API.

    ``max_tokens`` is the bound of the answer where the caller sets none.

    Raises:
        Untranslatable: it asks for what Anthropic's API can't say.
    """
    asked = Fields(load(body))
    asked.ignore(["model", *IGNORED])
    asked.refuse(REFUSED)
    for name, (nothing, reason) in UNASKED.items():
        if (value := asked.any(name)) is not None and value != nothing:
            raise Untranslatable(name, reason)
    system, turns = conversation_of(asked.need("messages", list))
    said: dict[str, Any] = {"model": model, "max_tokens": _bound(asked) or max_tokens}
    if system:
        said["system"] = shortest(system)
    said["messages"] = turns
    said |= _tools(asked) | _sampling(asked) | _form(asked) | _caller(asked) | _stream(asked)
    asked.done()
    return dump(said)


def _bound(asked: Fields) -> int | None:
    newer, older = asked.get("max_completion_tokens", int), asked.get("max_tokens", int)
    return newer if newer is not None else older


def _tools(asked: Fields) -> dict[str, Any]:
    tools = anthropic_tools(asked.get("tools", list) or [])
    parallel = asked.get("parallel_tool_calls", bool)
    choice = anthropic_choice(asked.any("tool_choice"), parallel, has_tools=bool(tools))
    return _given(tools=tools or None, tool_choice=choice)


def _sampling(asked: Fields) -> dict[str, Any]:
    temperature = asked.number("temperature")
    if temperature is not None and temperature > _HOTTEST:
        # The numbers up to 1 mean the same to both: 1 is what the model learned.
        raise Untranslatable("temperature", "The highest temperature of Anthropic's API is 1.")
    stop = asked.any("stop")
    stops = [stop] if isinstance(stop, str) else stop
    if stops is not None and not isinstance(stops, list):
        raise Untranslatable("stop", "This must be a string or an array of strings.")
    return _given(
        temperature=temperature,
        top_p=asked.number("top_p"),
        top_k=asked.get("top_k", int),
        stop_sequences=_strings(stops, "stop") if stops else None,
    )


def _strings(values: list[Any], path: str) -> list[str]:
    for value, at in each(values, path):
        if not isinstance(value, str):
            raise Untranslatable(at, "This must be a string.")
    return values


def _form(asked: Fields) -> dict[str, Any]:
    """How the answer is to look, and how much thought is to go into it."""
    output: dict[str, Any] = {}
    thinking = None
    effort = asked.get("reasoning_effort", str)
    if effort == "none":
        thinking = {"type": "disabled"}
    elif effort is not None:
        if effort not in _EFFORTS:
            reason = f"Anthropic's API has the efforts {', '.join(_EFFORTS)}, and 'none'."
            raise Untranslatable("reasoning_effort", reason)
        thinking = {"type": "adaptive"}
        output["effort"] = effort
    form = asked.get("response_format", dict)
    if form is not None and (schema := _schema(Fields(form, "response_format"))) is not None:
        output["format"] = {"type": "json_schema", "schema": schema}
    return _given(thinking=thinking, output_config=output or None)


def _schema(form: Fields) -> dict[str, Any] | None:
    kind = form.need("type", str)
    if kind == "text":
        return None
    if kind != "json_schema":
        reason = f"Anthropic's API has no {kind[:40]!r}; use 'json_schema' with a schema."
        raise Untranslatable(form.at("type"), reason)
    described = Fields(form.any("json_schema"), form.at("json_schema"))
    # The name is a label. Anthropic's API always keeps to the schema.
    described.ignore(["name", "strict"])
    schema = described.need("schema", dict)
    if description := described.get("description", str):
        texts = (description, schema.get("description"))
        schema = {**schema, "description": "\n".join(filter(None, texts))}
    described.done()
    form.done()
    return schema


def _caller(asked: Fields) -> dict[str, Any]:
    # OpenAI replaces the one by the other, and tells to hash it, as Anthropic does.
    user = asked.get("user", str)
    user = asked.get("safety_identifier", str) or user
    tier = asked.get("service_tier", str)
    if tier is not None and tier not in _TIERS:
        raise Untranslatable("service_tier", f"Anthropic's API has no tier like {tier[:40]!r}.")
    return _given(
        metadata={"user_id": user} if user else None,
        service_tier=None if tier is None else _TIERS[tier],
    )


def _stream(asked: Fields) -> dict[str, Any]:
    if (options := asked.get("stream_options", dict)) is not None:
        # Anthropic's streams always tell usage; the translation of the stream needs to know.
        given = Fields(options, "stream_options")
        given.ignore(["include_usage", "include_obfuscation"])
        given.done()
    return _given(stream=asked.get("stream", bool))


def _given(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
