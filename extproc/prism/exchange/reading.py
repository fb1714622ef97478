"""A request's body to what the decision reads, for each of the APIs that are routed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

from prism.exchange.asks import Asks, asks_of
from prism.exchange.conversation import conversation_id
from prism.exchange.endpoints import Endpoint, Kind
from prism.prompt.chat import Chat, kwargs_of, model_of, read_chat
from prism.prompt.document import BadBody, Document, read
from prism.prompt.messages import read_message_request
from prism.prompt.responses import bound_by, read_response_request
from prism.routing.catalog import Api
from prism.routing.identify import Caller
from prism.routing.signals import NONE_BARRED, Signals

_READERS: Mapping[Kind, Callable[[Document], Chat]] = MappingProxyType(
    {Kind.MESSAGES: read_message_request, Kind.COUNT: read_message_request}
)
"""All else that is routed is in the form of a chat."""
_NOT_OPENAI = MappingProxyType(
    {Api.OPENAI: "its provider speaks OpenAI's API, which has nothing for this path"}
)
_NOT_ANTHROPIC = MappingProxyType(
    {Api.ANTHROPIC: "its provider speaks Anthropic's API, which has nothing for this path"}
)


class Asked(NamedTuple):
    """A request as it was read. ``document`` is what must be edited, ``None`` where the body
    stays. ``text`` is the classifier's, ``None`` where the request names its model.
    ``recalled`` is a conversation that has had an answer before, so that somebody may hold it."""

    signals: Signals
    document: Document | None
    text: str | None
    recalled: str | None = None


def read_routed(kind: Kind, headers: Mapping[str, str], body: bytes, caller: Caller) -> Asked:
    """A request that is routed by what it asks. Raises ``BadBody``."""
    document = read(body)
    name = model_of(document)
    if name is None:
        message = "'model' is missing; send \"auto\" to have a model chosen."
        raise BadBody("missing_model", message, "model")
    asks = asks_of(headers, kwargs_of(document))
    chat = _READERS.get(kind, read_chat)(document)
    talk = conversation_id(caller, asks.conversation, chat.opening)
    recalled = talk if chat.standing.goes_on or asks.conversation is not None else None
    if kind is Kind.COUNT:
        # Who counts is not always who can answer: it is no turn of the conversation.
        signals = replace(_signals(name, asks, chat, _NOT_OPENAI), counts=True)
    else:
        signals = _signals(name, asks, chat, NONE_BARRED, talk)
    return Asked(signals, document, chat.text, recalled)


def read_other(
    endpoint: Endpoint, auto_names: frozenset[str], headers: Mapping[str, str], body: bytes
) -> Asked:
    """Any other path goes to the provider of the model it names, in body or header; Responses
    without one are routed. Raises ``BadBody``."""
    document = read(body) if _is_json(headers, body) else None
    asks = asks_of(headers, None if document is None else kwargs_of(document))
    name = None if document is None else model_of(document)
    barred = _NOT_ANTHROPIC if endpoint.api is Api.OPENAI else _NOT_OPENAI
    wanted = asks.pin or name
    if wanted is None or wanted in auto_names:
        if endpoint.kind is not Kind.RESPONSES or document is None or wanted is None:
            raise _nameless(endpoint, wanted)
        _unbound(document)
        chat = read_response_request(document)
        return Asked(_signals(wanted, asks, chat, barred), document, chat.text)
    # Left as it is unless something in it must change.
    edited = document is not None and (name is not None or "prism" in document.members)
    signals = Signals(
        wanted, asks.pin, asks.mode, asks.limits, frozenset(), 0, None, False, barred=barred
    )
    return Asked(signals, document if edited else None, None)


def _unbound(document: Document) -> None:
    """Refuse to choose a model where only the one that began can go on."""
    if (place := bound_by(document)) is not None:
        message = (
            f"{place} is known only to the provider that made it, so no model is chosen: "
            "name the model that did (X-Prism-Model of its answer) as 'model'."
        )
        raise BadBody("bound_to_provider", message, place)


def _nameless(endpoint: Endpoint, wanted: str | None) -> BadBody:
    what = "names no model" if wanted is None else f"can't use model {wanted!r}"
    message = (
        f"/v1{endpoint.path[:100]} {what}: only chat completions, messages and responses are "
        "routed by task; name a model in the body's 'model' or in X-Prism-Model-Prefer."
    )
    return BadBody("missing_model", message, "model")


def _signals(
    name: str, asks: Asks, chat: Chat, barred: Mapping[Api, str], conversation: str | None = None
) -> Signals:
    return Signals(
        model=name,
        pin=asks.pin,
        mode=asks.mode,
        limits=asks.limits,
        needs=chat.needs,
        input_tokens=chat.input_tokens,
        max_output_tokens=chat.max_output_tokens,
        stream=chat.stream,
        acts_at_provider=chat.acts_at_provider,
        conversation=conversation,
        tools_at_work=chat.standing.tools_at_work,
        sealed=chat.standing.sealed,
        barred=barred,
    )


def _is_json(headers: Mapping[str, str], body: bytes) -> bool:
    if not body or encoding_of(headers):
        return False
    return "json" in headers.get("content-type", "").lower() or body[:1] == b"{"


def encoding_of(headers: Mapping[str, str]) -> str:
    """What the body is encoded with; empty where it is plain."""
    encoding = headers.get("content-encoding", "").strip().lower()
    return "" if encoding == "identity" else encoding


def encoded(encoding: str) -> str:
    """What is said to a client that sends a body in it."""
    return f"Bodies in content-encoding {encoding[:40]!r} can't be routed; send it plain."
