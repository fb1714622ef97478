"""Anthropic's Messages: ``POST /messages``, what is asked.

As strict as Anthropic's API is: a member that it does not know is an error, so that a request
that was translated badly is found out. The shapes are those of Anthropic's SDK.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from prism.providers import messages_answer
from prism.providers.answer import Reply, answer_to
from prism.providers.ask import Ask, TokenBound, Tool, called_tool, text_of
from prism.providers.document import read
from prism.providers.messages_answer import Extras
from prism.providers.messages_check import check
from prism.providers.messages_size import Size, size_of
from prism.providers.spec import ProviderSpec

_IMAGES = frozenset({"image"})
_Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
_THOUGHT = "The user said something, so I answer it."


class Message(msgspec.Struct, forbid_unknown_fields=True):
    """One turn."""

    role: str
    content: str | list[dict[str, Any]]


class Request(msgspec.Struct, forbid_unknown_fields=True):
    """A request; only what the answer depends on is looked into."""

    model: str
    max_tokens: TokenBound
    messages: list[Message]
    system: str | list[dict[str, Any]] | None = None
    stream: bool | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: dict[str, Any] | None = None
    stop_sequences: list[str] | None = None
    thinking: dict[str, Any] | None = None
    output_config: dict[str, Any] | None = None
    temperature: _Share | None = None
    top_p: _Share | None = None
    top_k: int | None = None
    metadata: dict[str, Any] | None = None
    cache_control: dict[str, Any] | None = None
    container: Any = None
    context_management: Any = None
    diagnostics: Any = None
    inference_geo: str | None = None
    mcp_servers: Any = None
    service_tier: str | None = None
    speed: str | None = None


class CountRequest(msgspec.Struct):
    """A request to count tokens: one for an answer, without its bound."""

    model: str
    messages: list[Message]
    system: str | list[dict[str, Any]] | None = None
    cache_control: dict[str, Any] | None = None


_decoder = msgspec.json.Decoder(Request)
_count_decoder = msgspec.json.Decoder(CountRequest)


def reply(body: bytes, spec: ProviderSpec) -> Reply:
    """What the provider says to a request.

    Raises:
        Refusal: the request is wrong.
    """
    request = read(_decoder, body)
    check(request.messages, request.system)
    size = size_of(request)
    ask = _asked(request, size)
    answer = answer_to(ask, spec, body)
    said = messages_answer.Said(answer, Extras(size, _thought(request), request.stop_sequences))
    return Reply(
        model=ask.model,
        tokens=said.output_tokens,
        stream=ask.stream,
        plain=said.message,
        frames=said.frames,
    )


def count(body: bytes, spec: ProviderSpec) -> Reply:
    """How many tokens a request has: ``POST /messages/count_tokens``.

    Raises:
        Refusal: the request is wrong.
    """
    request = read(_count_decoder, body)
    check(request.messages, request.system)
    tokens = size_of(request).tokens
    return Reply(request.model, 0, False, lambda: {"input_tokens": tokens}, tuple)


def _asked(request: Request, size: Size) -> Ask:
    said = [text_of(each.content, _IMAGES)[0] for each in request.messages if each.role == "user"]
    return Ask(
        model=request.model,
        last_text=next((text for text in reversed(said) if text), ""),
        prompt_chars=size.chars,
        images=size.images,
        max_tokens=request.max_tokens,
        stream=bool(request.stream),
        call=_call(request),
        schema=_schema(request.output_config),
    )


def _call(request: Request) -> Tool | None:
    """The tool that is called: the one that must be, else the first; none after a result."""
    content = request.messages[-1].content
    if isinstance(content, list) and any(part.get("type") == "tool_result" for part in content):
        return None
    tools = [
        Tool(str(each.get("name", "")), each.get("input_schema") or {"type": "object"})
        for each in request.tools or ()
    ]
    choice = request.tool_choice or {}
    return called_tool(tools, "none" if choice.get("type") == "none" else choice)


def _schema(wanted: dict[str, Any] | None) -> dict[str, Any] | None:
    match wanted:
        case {"format": {"type": "json_schema", "schema": dict(schema)}}:
            return schema
    return None


def _thought(request: Request) -> str:
    """What the model thinks first; it thinks where it is asked to."""
    thinks = (request.thinking or {}).get("type") in ("enabled", "adaptive")
    return _THOUGHT if thinks else ""
