"""Which requests are translated, and by what: between the client's API and a provider's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from prism.exchange.endpoints import Kind
from prism.exchange.targets import Target
from prism.prompt.document import Document
from prism.routing.catalog import Api
from prism.routing.signals import NONE_BARRED
from prism.translate import (
    AnthropicStream,
    OpenAiStream,
    Untranslatable,
    to_anthropic_answer,
    to_anthropic_request,
    to_openai_answer,
    to_openai_request,
)

TRANSLATED = (Kind.CHAT, Kind.MESSAGES, Kind.DRY_RUN)
"""What can be said in either API."""
PATHS = {Api.OPENAI: "/chat/completions", Api.ANTHROPIC: "/messages"}
"""Where a provider takes it, below its base path."""
VERSION = ("anthropic-version", "2023-06-01")
"""The version of Anthropic's API that requests are translated to."""
OWN_HEADERS: Mapping[Api, tuple[str, ...]] = {
    Api.OPENAI: ("openai-organization", "openai-project", "openai-beta"),
    Api.ANTHROPIC: (
        "anthropic-version",
        "anthropic-beta",
        "anthropic-dangerous-direct-browser-access",
    ),
}
"""Headers of a client that mean nothing to a provider of the other API."""


class _StreamOptions(msgspec.Struct, gc=False):
    include_usage: bool | None = None


class _Asked(msgspec.Struct, gc=False):
    stream_options: _StreamOptions | None = None


_ASKED = msgspec.json.Decoder(_Asked)


def other(api: Api) -> Api:
    """The API that is translated to or from."""
    return Api.ANTHROPIC if api is Api.OPENAI else Api.OPENAI


def why_not(api: Api, document: Document) -> str | None:
    """Why a request of ``api`` can't be said in the other one, ``None`` where it can."""
    try:
        request_for(other(api), document.body, "model")
    except Untranslatable as problem:
        return f"can't be translated to {other(api)}'s API: {problem}"
    return None


def barred_for(
    api: Api, kind: Kind, document: Document | None, targets: Iterable[Target]
) -> Mapping[Api, str]:
    """The other API, with why a request of ``api`` can't be said in it, where one of the targets
    speaks it. Tried only then: it takes as long as the translation."""
    if kind not in TRANSLATED or document is None:
        return NONE_BARRED
    if all(target.api is api for target in targets):
        return NONE_BARRED
    reason = why_not(api, document)
    return NONE_BARRED if reason is None else {other(api): reason}


def request_for(target: Api, body: bytes, model: str) -> bytes:
    """A request of the other API for ``model`` at a provider of ``target``.

    Raises:
        Untranslatable: it can't be said there.
    """
    if target is Api.ANTHROPIC:
        return to_anthropic_request(body, model)
    return to_openai_request(body, model)


def answer_for(client: Api, body: bytes, status: int, created: int) -> bytes:
    """A whole answer of the other API for a client of ``client``; ``created`` in seconds since
    the epoch.

    Raises:
        Untranslatable: it is not what that API says.
    """
    if client is Api.OPENAI:
        return to_openai_answer(body, status, created=created)
    return to_anthropic_answer(body, status)


def stream_for(client: Api, request: bytes, created: int) -> OpenAiStream | AnthropicStream:
    """The same for a streamed answer to ``request``."""
    if client is Api.ANTHROPIC:
        return AnthropicStream()
    try:
        options = _ASKED.decode(request).stream_options
    except msgspec.DecodeError:
        options = None
    usage = options is not None and bool(options.include_usage)
    return OpenAiStream(created=created, include_usage=usage)
