"""A gateway with providers of both APIs, and what the tests of them share."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from prism.providers import Fault, FaultKind, ModelTiming, ProviderSpec, SimulatedProviders
from prism.providers.received import ReceivedRequest

from . import config
from .running import Gateway, simulated

KEYS = {"OPENAI_KEY": "openai-secret", "CLAUDE_KEY": "claude-secret"}
APIS = {"openai": "OpenAI", "claude": "Anthropic"}
# Chosen by mode: eco asks a model of OpenAI's API first, sport one of Anthropic's.
MODELS = {"gpt": "openai", "mini": "openai", "opus": "claude", "haiku": "claude"}
CELLS = {"eco": ["mini", "haiku"], "balanced": ["gpt", "mini"], "sport": ["opus", "gpt"]}
ECO, SPORT = {"x-prism-mode": "eco"}, {"x-prism-mode": "sport"}
"""Eco begins with a model of OpenAI's API, sport with one of Anthropic's."""
HI: list[Any] = [{"role": "user", "content": "What is the capital of France?"}]
DOWN = Fault(kind=FaultKind.STATUS, status=529)
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
    "+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
BOTH = pytest.mark.parametrize("mode", [ECO, SPORT], ids=["to OpenAI", "to Anthropic"])


def specs() -> list[ProviderSpec]:
    return [
        ProviderSpec(
            name=provider,
            api_key=KEYS[f"{provider.upper()}_KEY"],
            models={
                config.upstream(model): ModelTiming()
                for model, owner in MODELS.items()
                if owner == provider
            },
        )
        for provider in APIS
    ]


def table(urls: Mapping[str, str], **changes: Any) -> dict[str, Any]:
    """A RoutingTable whose cells are the same for every task."""
    made = config.table({**urls, **dict.fromkeys(config.PROVIDERS, "http://127.0.0.1:9/v1")})
    spec = made["spec"]
    spec["providers"] = [
        {
            "name": provider,
            "baseURL": urls[provider],
            "api": api,
            "credentials": [{"key": f"{provider.upper()}_KEY"}],
        }
        for provider, api in APIS.items()
    ]
    like = spec["models"][0]
    spec["models"] = [
        {
            **copy.deepcopy(like),
            "name": name,
            "provider": provider,
            "upstreamName": config.upstream(name),
            "capabilities": ["tools", "vision", "jsonSchema"]
            + (["responses"] if name == "gpt" else []),
        }
        for name, provider in MODELS.items()
    ]
    spec["cells"] = {task: copy.deepcopy(CELLS) for task in config.CELLS}
    spec.update(changes)
    return made


@contextmanager
def running(scratch: Path, **changes: Any) -> Iterator[tuple[SimulatedProviders, Gateway]]:
    """The providers and the gateway before them."""
    with simulated(specs()) as providers:
        folder = scratch / "config"
        urls = {name: providers.url(name) for name in APIS}
        config.write(folder, table(urls, **changes), config.policies()[:1])
        gateway = Gateway(folder, scratch, KEYS)
        try:
            yield providers, gateway
        finally:
            assert gateway.stop() == 0


def sent(providers: SimulatedProviders, number: int = 0) -> ReceivedRequest:
    """What a provider got: its own key in its own header, and nobody else's."""
    request = providers.requests[number]
    native = request.provider == "claude"
    key = KEYS[f"{request.provider.upper()}_KEY"]
    assert request.header("x-api-key") == (key if native else None)
    assert request.header("authorization") == (None if native else f"Bearer {key}")
    assert request.header("content-length") == str(len(request.body))
    assert (request.header("anthropic-version") is not None) is native
    path = request.path.partition("?")[0]
    assert path.endswith("/v1/messages" if native else "/v1/chat/completions")
    assert not [name for name, _ in request.headers if name.lower().startswith("x-prism-")]
    return request
