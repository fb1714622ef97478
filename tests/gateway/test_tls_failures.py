"""A provider that TLS fails with is one that fails: the next model answers, with its own key, path
and name; the record says why; and health learns of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest
import yaml

from prism.providers import ProviderSpec, SimulatedProviders

from . import config
from .config import upstream
from .running import NO_TLS, Gateway, chat, error_of, simulated, until
from .tls_fronts import Front, fronts

BAD = [front for front in Front if front is not Front.WELL]
KEYS = {"FIRST_KEY": "first-secret", "WELL_KEY": "well-secret"}
MODES = ("eco", "balanced", "sport")
REASONS = {
    Front.UNKNOWN: "TLS: CERTIFICATE_VERIFY_FAILED",
    Front.OTHER: "TLS: CERTIFICATE_VERIFY_FAILED",
    Front.PLAIN: "TLS: WRONG_VERSION_NUMBER",
    Front.RESET: "no connection",
    Front.SILENT: "no connection",
}
"""What the record of an attempt says."""
WAYS = {
    "plain": {},
    "stream": {"stream": True},
    "5MB": {"messages": [{"role": "user", "content": "x" * 5_000_000}]},
}


@pytest.fixture(scope="module")
def providers() -> Iterator[SimulatedProviders]:
    specs = [
        ProviderSpec(name="first", api_key=KEYS["FIRST_KEY"]),
        ProviderSpec(name="well", api_key=KEYS["WELL_KEY"]),
    ]
    with simulated(specs) as made:
        yield made


@pytest.fixture(scope="module")
def gateway(
    providers: SimulatedProviders, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    scratch = tmp_path_factory.mktemp("tls")
    (scratch / "config").mkdir()
    authority = scratch / "ca.pem"
    with fronts(providers.port, authority) as ports:
        documents = [one for front in BAD for one in _documents(front, ports)]
        text = yaml.safe_dump_all(documents, sort_keys=False)
        (scratch / "config" / "tls.yaml").write_text(text, "utf-8")
        environment = {**KEYS, "SSL_CERT_FILE": str(authority)}
        made = Gateway(scratch / "config", scratch, environment, "--prism-timeout", "60")
        yield made
        made.stop()


def _documents(front: Front, ports: Mapping[Front, int]) -> Iterator[dict[str, Any]]:
    """A table and a project for one way to fail."""
    table = "default" if front is BAD[0] else front.value
    ends = {"first": ports[front], "well": ports[Front.WELL]}
    models = {_first(front): "first", "well": "well"}
    spec = {
        "providers": [
            {
                "name": name,
                "baseURL": f"https://127.0.0.1:{port}/{name}/v1",
                "region": "eu",
                "credentials": [{"key": f"{name.upper()}_KEY"}],
            }
            for name, port in ends.items()
        ],
        "models": [_model(name, provider) for name, provider in models.items()],
        "cells": {task: {mode: list(models) for mode in MODES} for task in config.CELLS},
        "retry": {"attemptTimeout": "1m", "totalTimeout": "10m"},
        "racing": {"modes": ["sport"], "waitMs": 50_000, "maxShare": 1},
    }
    digest = hashlib.sha256(_key(front).encode()).hexdigest()
    policy = {"project": front.value, "table": table}
    yield config.document("RoutingTable", table, spec)
    yield config.document(
        "ProjectPolicy", front.value, {**policy, "apiKeys": [{"sha256": digest, "name": "test"}]}
    )


def _model(name: str, provider: str) -> dict[str, Any]:
    return {
        "name": name,
        "provider": provider,
        "upstreamName": upstream(name),
        "price": {"inputPerMillion": 1, "outputPerMillion": 4},
        "quality": dict.fromkeys(config.CELLS, 0.7),
        "latency": {"timeToFirstTokenMs": 100, "tokensPerSecond": 100},
        "contextLength": 20_000_000,
    }


def _first(front: Front) -> str:
    return f"behind-{front}"


def _key(front: Front) -> str:
    return f"prism-tls-{front}"


def ask(gateway: Gateway, front: Front, mode: str = "balanced", **more: Any) -> httpx.Response:
    return httpx.post(
        f"{gateway.base_url}/chat/completions?a=b",
        json={**chat("What is the capital of France?"), **more},
        headers={"authorization": f"Bearer {_key(front)}", "x-prism-mode": mode},
        timeout=120,
        verify=NO_TLS,
    )


@pytest.mark.parametrize("front", BAD)
def test_the_next_model_answers_and_health_learns_why(
    gateway: Gateway, providers: SimulatedProviders, front: Front
) -> None:
    for how, more in WAYS.items():
        providers.reset()
        # A race's first model that fails before the wait is over is not waited for.
        mode = "sport" if how == "stream" else "balanced"
        answer = ask(gateway, front, mode, **more)
        assert answer.status_code == 200, answer.text
        assert answer.headers["x-prism-model"] == "well"
        assert answer.headers["x-prism-attempts"] == "2"
        (got,) = providers.requests
        assert got.path == "/well/v1/chat/completions?a=b"
        assert got.header("authorization") == f"Bearer {KEYS['WELL_KEY']}"
        assert json.loads(got.body) == {
            **chat("What is the capital of France?"),
            **more,
            "model": upstream("well"),
        }
        first, second = gateway.record(answer.headers["x-prism-decision-id"])["outcome"]["tried"]
        assert (first["model"], first["result"]) == (_first(front), "failed")
        assert first["reason"] == REASONS[front]
        assert "status" not in first
        assert (second["model"], second["result"], second["status"]) == ("well", "answered", 200)
    until(lambda: _first(front) in gateway.status()["failingModels"], "health to learn of it")
    answer = ask(gateway, front)
    assert (answer.headers["x-prism-model"], answer.headers["x-prism-attempts"]) == ("well", "1")


@pytest.mark.parametrize("front", BAD)
def test_who_asks_for_that_model_alone_gets_a_clear_error(
    gateway: Gateway, providers: SimulatedProviders, front: Front
) -> None:
    providers.reset()
    answer = ask(gateway, front, model=_first(front))
    assert answer.status_code == 503, answer.text
    assert error_of(answer)["code"] == "provider_unreachable"
    assert answer.headers["x-prism-attempts"] == "1"
    assert not providers.requests
