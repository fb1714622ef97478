"""Which endpoint of which provider a request is for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from prism.providers import chat, completions, embeddings, messages, responses
from prism.providers.answer import Reply
from prism.providers.error import Style
from prism.providers.spec import ProviderSpec

_DOMAIN = ".localhost"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """``reply`` makes the answer from the request's body; it raises ``Refusal``."""

    reply: Callable[[bytes, ProviderSpec], Reply]
    style: Style = Style.OPENAI


ENDPOINTS: Mapping[str, Endpoint] = {
    "/chat/completions": Endpoint(chat.reply),
    "/completions": Endpoint(completions.reply),
    "/embeddings": Endpoint(embeddings.reply),
    "/responses": Endpoint(responses.reply),
    "/messages": Endpoint(messages.reply, Style.ANTHROPIC),
    "/messages/count_tokens": Endpoint(messages.count, Style.ANTHROPIC),
}
"""What is answered to POST, by path below the base path."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a request is addressed to.

    ``provider`` is the name in the address, known or not. ``below`` is the path below the
    base path, ``None`` where the path does not lie below it.
    """

    provider: str
    spec: ProviderSpec | None
    path: str
    below: str | None


def place_of(host: str, target: str, specs: Mapping[str, ProviderSpec]) -> Place:
    """The place that a Host header and a request target name.

    The provider is the host's first label (``openai.localhost/v1/…``) or else the path's first
    segment (``/openai/v1/…``).
    """
    path = target.partition("?")[0]
    label, dot, _ = host.partition(":")[0].lower().partition(_DOMAIN)
    if dot and (spec := specs.get(label)) is not None:
        below = _below(path, spec)
        if below is not None:
            return Place(label, spec, path, below)
    name, slash, rest = path.removeprefix("/").partition("/")
    spec = specs.get(name)
    return Place(name, spec, path, None if spec is None else _below(slash + rest, spec))


def _below(path: str, spec: ProviderSpec) -> str | None:
    base = spec.base_path.rstrip("/")
    return path[len(base) :] if path.startswith(base + "/") else None
