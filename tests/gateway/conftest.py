"""One gateway for all tests that leave it as it is; tests that break things make their own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import anthropic
import httpx
import openai
import pytest

from prism.providers import ModelTiming, ProviderSpec, SimulatedProviders

from . import both_apis, config
from .running import Gateway, simulated, until
from .running import chat as chat_body


def specs() -> list[ProviderSpec]:
    """Providers that insist on their own key and know only their own models."""
    return [
        ProviderSpec(
            name=provider,
            api_key=config.KEYS[f"{provider.upper()}_KEY"],
            models={
                config.upstream(model): ModelTiming()
                for model, (owner, *_) in config.MODELS.items()
                if owner == provider
            },
        )
        for provider in config.PROVIDERS
    ]


@pytest.fixture(scope="session")
def shared_providers() -> Iterator[SimulatedProviders]:
    with simulated(specs()) as providers:
        yield providers


@pytest.fixture
def providers(shared_providers: SimulatedProviders) -> SimulatedProviders:
    """The providers, without faults and with nothing received."""
    shared_providers.reset()
    return shared_providers


def urls(providers: SimulatedProviders) -> dict[str, str]:
    return {name: providers.url(name) for name in config.PROVIDERS}


@pytest.fixture(scope="session")
def shared_gateway(
    shared_providers: SimulatedProviders, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    scratch = tmp_path_factory.mktemp("gateway")
    folder = scratch / "config"
    config.write(folder, config.table(urls(shared_providers)), config.policies())
    gateway = Gateway(folder, scratch, config.KEYS)
    yield gateway
    assert gateway.stop() == 0


@pytest.fixture
def gateway(shared_gateway: Gateway, providers: SimulatedProviders) -> Gateway:
    """The shared gateway; ``providers`` are reset with it."""
    return shared_gateway


RETRIED = {401, 408, 429, 500, 503, 529}


@pytest.fixture
def healed(request: pytest.FixtureRequest, providers: SimulatedProviders) -> Iterator[None]:
    """Let no failure of a test count in the next: three in a row put a model last."""
    yield
    if "own_gateway" not in request.fixturenames:
        heal(request.getfixturevalue("shared_gateway"), providers, config.MODELS)


@pytest.fixture
def both_healed(both_gateway: Gateway, both_providers: SimulatedProviders) -> Iterator[None]:
    """The same for the gateway of both APIs."""
    yield
    heal(both_gateway, both_providers, both_apis.MODELS)


def heal(gateway: Gateway, providers: SimulatedProviders, known: Iterable[str]) -> None:
    failed = {r.model for r in providers.requests if r.status is None or r.status in RETRIED}
    models = [model for model in known if config.upstream(model) in failed]
    providers.reset()
    for model in models:
        # The failure is known before the success that clears it.
        until(lambda model=model: model in gateway.status()["failuresInARow"], f"{model} to fail")
        headers = {"authorization": f"Bearer {config.CLIENT_KEY}"}
        body = {**chat_body("hi"), "model": model}
        url = f"{gateway.base_url}/chat/completions"
        assert httpx.post(url, json=body, headers=headers).status_code == 200
        until(lambda m=model: m not in gateway.status()["failuresInARow"], f"{model} to be well")


@pytest.fixture
def own_gateway(providers: SimulatedProviders, tmp_path: Path) -> Iterator[Callable[..., Gateway]]:
    """Makes gateways of this test alone: ``own_gateway(failureMode="Closed")``."""
    made: list[Gateway] = []

    def make(*options: str, policies: list[dict[str, Any]] | None = None, **spec: Any) -> Gateway:
        folder = tmp_path / f"config{len(made)}"
        chosen = config.policies() if policies is None else policies
        config.write(folder, config.table(urls(providers), **spec), chosen)
        scratch = tmp_path / f"scratch{len(made)}"
        scratch.mkdir()
        made.append(Gateway(folder, scratch, config.KEYS, *options))
        return made[-1]

    yield make
    for gateway in made:
        gateway.stop()


@pytest.fixture
def client(gateway: Gateway) -> Iterator[openai.OpenAI]:
    """The real OpenAI client, with the key of the project that may do anything."""
    with openai.OpenAI(base_url=gateway.base_url, api_key=config.CLIENT_KEY, max_retries=0) as made:
        yield made


@pytest.fixture
def http(gateway: Gateway) -> Iterator[httpx.Client]:
    """A plain HTTP client with the same key."""
    headers = {"authorization": f"Bearer {config.CLIENT_KEY}"}
    with httpx.Client(base_url=gateway.base_url, headers=headers, timeout=60) as made:
        yield made


@pytest.fixture(scope="session")
def shared_both(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[SimulatedProviders, Gateway]]:
    with both_apis.running(tmp_path_factory.mktemp("both")) as made:
        yield made


@pytest.fixture
def both_providers(shared_both: tuple[SimulatedProviders, Gateway]) -> SimulatedProviders:
    """Providers of both APIs, without faults and with nothing received."""
    shared_both[0].reset()
    return shared_both[0]


@pytest.fixture
def both_gateway(
    shared_both: tuple[SimulatedProviders, Gateway], both_providers: SimulatedProviders
) -> Gateway:
    """The gateway before them, the same for all tests of both APIs."""
    return shared_both[1]


@pytest.fixture
def chat(both_gateway: Gateway) -> Iterator[openai.OpenAI]:
    """OpenAI's client."""
    with openai.OpenAI(
        base_url=both_gateway.base_url, api_key=config.CLIENT_KEY, max_retries=0
    ) as made:
        yield made


@pytest.fixture
def claude(both_gateway: Gateway) -> Iterator[anthropic.Anthropic]:
    """Anthropic's client."""
    with anthropic.Anthropic(
        base_url=both_gateway.url, api_key=config.CLIENT_KEY, max_retries=0
    ) as made:
        yield made


@pytest.fixture
def both_http(both_gateway: Gateway) -> Iterator[httpx.Client]:
    """A plain HTTP client, under ``/v1``."""
    headers = {"authorization": f"Bearer {config.CLIENT_KEY}"}
    with httpx.Client(base_url=both_gateway.base_url, headers=headers, timeout=60) as made:
        yield made
