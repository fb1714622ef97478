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

    The provider is the host's first label (``openai.localhost``) or else the path's first
    segment (``/openai/v1/…``).
    """
    path = target.partition("?")[0]
    name = host.partition(":")[0].lower().removesuffix(_DOMAIN)
    spec = specs.get(name) if _DOMAIN in host.lower() else None
    rest = path
    if spec is None:
        name, slash, rest = path.removeprefix("/").partition("/")
        rest = slash + rest
        spec = specs.get(name)
    if spec is None:
        return Place(name, None, path, None)
    base = spec.base_path.rstrip("/")
    below = rest[len(base) :] if rest.startswith(base + "/") else None
    return Place(name, spec, path, below)
