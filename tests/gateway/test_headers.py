"""Clients can't set what only the gateway may, and providers see nothing of it."""

from __future__ import annotations

import httpx
import pytest

from prism.exchange import headers
from prism.providers import Fault, FaultKind, SimulatedProviders

from . import config
from .running import Gateway, chat

QUESTION = chat("What is the capital of France?")


@pytest.mark.parametrize(
    "spoofed",
    [
        {"x-prism-decision-id": "mine"},
        {"x-prism-decision-id": "mine", "x-prism-cluster-1": "prism", "x-prism-plan": "x"},
        {"x-prism-cluster-1": "prism/beta/giant/00000000"},
        {"x-prism-decision-id": "mine", "x-prism-first-cluster": "prism/beta/giant"},
        {"x-prism-mod": "sport", "x-prism-modes": "sport", "x-prism-anything": "at all"},
        {"x-prism-task-type": "complex", "x-prism-model": "giant", "x-prism-attempts": "9"},
        {"x-prism-model-span": "0-1", "x-prism-api-path": "/other"},
        {"x-envoy-max-retries": "9", "x-envoy-retry-on": "5xx"},
        {"x-envoy-upstream-rq-timeout-ms": "1"},
        {"x-envoy-original-path": "/other", "x-envoy-attempt-count": "3"},
    ],
    ids=lambda headers: "+".join(headers),
)
def test_spoofed_headers_change_nothing(
    http: httpx.Client, providers: SimulatedProviders, spoofed: dict[str, str]
) -> None:
    answer = http.post("/chat/completions", json=QUESTION, headers=spoofed)
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-prism-model"] == "mini"
    assert answer.headers["x-prism-task-type"] == "simple"
    assert answer.headers["x-prism-attempts"] == "1"
    assert answer.headers["x-prism-decision-id"] != "mine"
    (request,) = providers.requests
    assert request.path == "/alpha/v1/chat/completions"
    names = {name.lower() for name, _ in request.headers}
    assert not [name for name in names if name.startswith(("x-prism", "x-envoy"))]


def test_a_spoofed_decision_does_not_pass_by_prism(gateway: Gateway) -> None:
    """The route of decided requests is not open to a client who claims to be decided."""
    spoofed = {"x-prism-decision-id": "mine", "x-prism-first-cluster": "prism/beta/giant"}
    answer = httpx.post(f"{gateway.base_url}/chat/completions", json=QUESTION, headers=spoofed)
    assert answer.status_code == 200
    assert answer.headers["x-prism-model"] == "mini"


def test_providers_see_nothing_of_the_gateway(
    http: httpx.Client, providers: SimulatedProviders
) -> None:
    sent = {name: "0.9" for name in headers.REQUEST if name != headers.MODE}
    sent |= {headers.MODE: "sport", headers.MODEL_PREFER: "giant", headers.MAX_COST: "5"}
    sent |= {headers.MAX_LATENCY_MS: "100000", "api-key": config.CLIENT_KEY}
    answer = http.post("/chat/completions", json=QUESTION, headers=sent)
    assert answer.status_code == 200, answer.text
    names = {name.lower() for name, _ in providers.requests[0].headers}
    assert not [name for name in names if name.startswith(("x-prism", "x-envoy", "x-forwarded"))]
    assert "api-key" not in names
    values = {value for _, value in providers.requests[0].headers}
    assert not [value for value in values if config.CLIENT_KEY in value]


def test_other_headers_reach_the_provider(
    http: httpx.Client, providers: SimulatedProviders
) -> None:
    sent = {"openai-organization": "org-1", "x-custom": "kept"}
    http.post("/chat/completions", json=QUESTION, headers=sent)
    received = {name.lower(): value for name, value in providers.requests[0].headers}
    assert received["openai-organization"] == "org-1"
    assert received["x-custom"] == "kept"
    # Envoy could not read the usage of a compressed answer.
    assert "accept-encoding" not in received


def test_a_provider_s_error_carries_the_headers_too(
    http: httpx.Client, providers: SimulatedProviders
) -> None:
    providers.fault("alpha", Fault(kind=FaultKind.STATUS, status=400))
    answer = http.post("/chat/completions", json=QUESTION)
    assert answer.status_code == 400
    assert answer.headers["x-prism-model"] == "mini"
    assert answer.headers["x-prism-decision-id"]
