"""When a provider fails, the next model of the cell answers, with its own key, path and name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from prism.providers import Fault, FaultKind, SimulatedProviders

from . import config
from .running import Gateway, chat, error_of, until

pytestmark = pytest.mark.usefixtures("healed")
QUESTION = chat("What is the capital of France?")
SPORT = {"x-prism-mode": "sport"}  # simple, sport: giant (beta), then mini (alpha)

FAULTS = {
    "500": Fault(kind=FaultKind.STATUS, status=500),
    "503": Fault(kind=FaultKind.STATUS, status=503),
    "529": Fault(kind=FaultKind.STATUS, status=529),
    "429": Fault(kind=FaultKind.STATUS, status=429, retry_after=1),
    "408": Fault(kind=FaultKind.STATUS, status=408),
    "reset": Fault(kind=FaultKind.RESET),
}


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("fault", FAULTS)
def test_the_next_model_answers(
    http: httpx.Client, providers: SimulatedProviders, fault: str, stream: bool
) -> None:
    providers.fault("beta", FAULTS[fault])
    answer = http.post("/chat/completions?a=b", json={**QUESTION, "stream": stream}, headers=SPORT)
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-prism-model"] == "mini"
    assert answer.headers["x-prism-provider"] == "alpha"
    assert answer.headers["x-prism-attempts"] == "2"
    first, second = providers.requests
    assert (first.provider, second.provider) == ("beta", "alpha")
    for request, model in ((first, "giant"), (second, "mini")):
        headers = {name.lower(): value for name, value in request.headers}
        assert (
            headers["authorization"] == f"Bearer {config.KEYS[request.provider.upper() + '_KEY']}"
        )
        assert request.model == config.upstream(model)
        assert request.path == f"/{request.provider}/v1/chat/completions?a=b"
        assert headers["content-length"] == str(len(request.body))


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_the_third_model_answers(
    own_gateway: Callable[..., Gateway], providers: SimulatedProviders, stream: bool
) -> None:
    three = ["giant", "mini", "thinker"]  # at beta, alpha, gamma
    gateway = own_gateway(
        cells={task: {**cell, "sport": three} for task, cell in config.CELLS.items()}
    )
    for provider in ("beta", "alpha"):
        providers.fault(provider, FAULTS["503"])
    answer = _ask(gateway, stream=stream)
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-prism-model"] == "thinker"
    assert answer.headers["x-prism-attempts"] == "3"
    assert [request.provider for request in providers.requests] == ["beta", "alpha", "gamma"]
    for request, model in zip(providers.requests, three, strict=True):
        key = config.KEYS[f"{request.provider.upper()}_KEY"]
        assert request.header("authorization") == f"Bearer {key}"
        assert request.model == config.upstream(model)
        assert request.path == f"/{request.provider}/v1/chat/completions"
        assert not [name for name, _ in request.headers if name.startswith(("x-prism", "x-envoy"))]


def test_no_headers_in_time_goes_on(
    own_gateway: Callable[..., Gateway], providers: SimulatedProviders
) -> None:
    gateway = own_gateway(retry={"maxAttempts": 2, "attemptTimeout": "300ms"})
    providers.fault("beta", Fault(kind=FaultKind.HANG))
    answer = _ask(gateway)
    assert answer.headers["x-prism-model"] == "mini"
    assert answer.headers["x-prism-attempts"] == "2"
    # The attempt that was given up is ended at its provider, too.
    until(lambda: providers.requests[0].cancelled, "the first attempt to be cancelled")


def test_a_provider_that_is_down_is_passed_over(
    own_gateway: Callable[..., Gateway], providers: SimulatedProviders
) -> None:
    from .running import free_port

    gateway = own_gateway()
    urls = {name: providers.url(name) for name in config.PROVIDERS}
    urls["beta"] = f"http://127.0.0.1:{free_port()}/beta/v1"
    before = gateway.status()["planVersion"]
    config.write(gateway.config, config.table(urls), config.policies())
    until(lambda: gateway.status()["planVersion"] != before, "the change to be live")
    answer = _ask(gateway)
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-prism-model"] == "mini"


def test_a_model_that_keeps_failing_goes_last(
    own_gateway: Callable[..., Gateway], providers: SimulatedProviders
) -> None:
    gateway = own_gateway()
    providers.fault("beta", Fault(kind=FaultKind.STATUS, status=500))
    for _ in range(3):
        _ask(gateway)
    until(lambda: "giant" in gateway.status()["failingModels"], "giant to be known as failing")
    answer = _ask(gateway)
    assert answer.headers["x-prism-model"] == "mini"
    assert answer.headers["x-prism-attempts"] == "1"


def test_when_all_fail_the_last_error_is_the_client_s(
    http: httpx.Client, providers: SimulatedProviders
) -> None:
    for provider in config.PROVIDERS:
        providers.fault(provider, Fault(kind=FaultKind.STATUS, status=503))
    answer = http.post("/chat/completions", json=QUESTION, headers=SPORT)
    assert answer.status_code == 503
    error_of(answer)
    assert answer.headers["x-prism-attempts"] == "2"


@pytest.mark.parametrize("attempts", [1, 2])
def test_a_key_that_nobody_takes_is_the_gateway_s_trouble(
    http: httpx.Client, providers: SimulatedProviders, attempts: int
) -> None:
    refused = "Incorrect API key provided: sk-of-the-gateway"
    fault = Fault(kind=FaultKind.STATUS, status=401, message=refused)
    for provider in config.PROVIDERS:
        providers.fault(provider, fault)
    model = {1: "giant", 2: "auto"}[attempts]
    answer = http.post("/chat/completions", json={**QUESTION, "model": model}, headers=SPORT)
    assert answer.status_code == 502
    error = error_of(answer)
    assert error["code"] == "provider_credential_refused"
    assert {1: "beta", 2: "alpha"}[attempts] in error["message"]
    assert "sk-of-the-gateway" not in answer.text
    assert answer.headers["x-prism-attempts"] == str(attempts)
    assert [request.status for request in providers.requests] == [401] * attempts


def test_a_reset_by_all_is_an_error_in_openai_s_shape(
    http: httpx.Client, providers: SimulatedProviders
) -> None:
    for provider in config.PROVIDERS:
        providers.fault(provider, Fault(kind=FaultKind.RESET))
    answer = http.post("/chat/completions", json=QUESTION)
    assert answer.status_code in (502, 503)
    error_of(answer)


def test_a_pin_is_not_failed_over(http: httpx.Client, providers: SimulatedProviders) -> None:
    providers.fault("beta", Fault(kind=FaultKind.STATUS, status=500))
    answer = http.post("/chat/completions", json={**QUESTION, "model": "giant"})
    assert answer.status_code == 500
    assert len(providers.requests) == 1


def test_a_client_s_mistake_is_not_tried_elsewhere(
    http: httpx.Client, providers: SimulatedProviders
) -> None:
    providers.fault("beta", Fault(kind=FaultKind.STATUS, status=400))
    answer = http.post("/chat/completions", json=QUESTION, headers=SPORT)
    assert answer.status_code == 400
    assert len(providers.requests) == 1


def test_policy_holds_for_every_attempt(gateway: Gateway, providers: SimulatedProviders) -> None:
    providers.fault("gamma", Fault(kind=FaultKind.STATUS, status=500))
    answer = _ask(gateway, key=config.EURO_KEY)
    assert answer.status_code == 500
    assert {request.provider for request in providers.requests} == {"gamma"}


def test_after_the_first_byte_there_is_no_failover(
    http: httpx.Client, providers: SimulatedProviders
) -> None:
    providers.fault("alpha", Fault(kind=FaultKind.CUT, after_chunks=2))
    body = {**QUESTION, "stream": True}
    with http.stream("POST", "/chat/completions", json=body) as answer:
        assert answer.status_code == 200
        with pytest.raises(httpx.RemoteProtocolError):
            answer.read()
    assert len(providers.requests) == 1


def _ask(gateway: Gateway, key: str = config.CLIENT_KEY, **more: Any) -> httpx.Response:
    headers = {"authorization": f"Bearer {key}", **SPORT}
    return httpx.post(
        f"{gateway.base_url}/chat/completions",
        json={**QUESTION, **more},
        headers=headers,
        timeout=60,
    )
