"""Races on the real Envoy: the first good answer wins, and losers are ended at their provider."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from prism.providers import Fault, FaultKind, SimulatedProviders
from prism.providers.received import ReceivedRequest

from . import config
from .conftest import urls
from .running import Gateway, chat, error_of, until

QUESTION = chat("What is the capital of France?")
LATE = 20_000
"""Milliseconds that a late provider takes: longer than anything else here on a busy machine."""
SLOW = Fault(kind=FaultKind.DELAY, delay_ms=LATE)
FAILS = Fault(kind=FaultKind.STATUS, status=503)
HANGS = Fault(kind=FaultKind.HANG)
MODELS = ["giant", "mini", "thinker"]  # at beta, alpha, gamma
CELLS = {task: dict.fromkeys(("eco", "balanced", "sport"), MODELS) for task in config.CELLS}
HOSTED = {"type": "web_search", "function": {"name": "search"}}
DENIED_KEY = "prism-test-denied"


def spec(attempt_timeout: str = "20s", **changes: Any) -> dict[str, Any]:
    """The members of a table that races sport requests."""
    return {
        "cells": CELLS,
        "racing": {"modes": ["sport"], "maxShare": 1, **changes},
        "retry": {"maxAttempts": 3, "attemptTimeout": attempt_timeout},
    }


def policies() -> list[dict[str, Any]]:
    key = {"sha256": hashlib.sha256(DENIED_KEY.encode()).hexdigest(), "name": "test"}
    denied = {"project": "denied", "racing": "Denied", "apiKeys": [key]}
    return [*config.policies(), config.document("ProjectPolicy", "denied", denied)]


@pytest.fixture
def racing(own_gateway: Callable[..., Gateway]) -> Callable[..., Gateway]:
    """Makes gateways of one test that race: ``racing(waitMs=200)``."""
    return lambda **changes: own_gateway(policies=policies(), **spec(**changes))


@pytest.fixture(scope="module")
def made(
    shared_providers: SimulatedProviders, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[int], Gateway]]:
    gateways: dict[int, Gateway] = {}

    def make(wait: int) -> Gateway:
        if wait not in gateways:
            scratch = tmp_path_factory.mktemp(f"racing{wait}")
            table = config.table(urls(shared_providers), **spec(waitMs=wait))
            config.write(scratch / "config", table, policies())
            gateways[wait] = Gateway(scratch / "config", scratch, config.KEYS)
        return gateways[wait]

    yield make
    for gateway in gateways.values():
        gateway.stop()


@pytest.fixture
def shared(
    made: Callable[[int], Gateway], providers: SimulatedProviders
) -> Callable[[int], Gateway]:
    """The gateway with a wait, for tests in which nothing fails; ``providers`` are reset."""
    assert providers.requests == []
    return made


def ask(
    gateway: Gateway, key: str = config.CLIENT_KEY, mode: str = "sport", **more: Any
) -> httpx.Response:
    return httpx.post(
        f"{gateway.base_url}/chat/completions?a=b",
        json={**QUESTION, **more},
        headers={"authorization": f"Bearer {key}", "x-prism-mode": mode},
        timeout=60,
    )


def by_provider(providers: SimulatedProviders) -> dict[str, ReceivedRequest]:
    """What each provider got, at most one request."""
    found = {request.provider: request for request in providers.requests}
    assert len(found) == len(providers.requests)
    return found


def reasons(gateway: Gateway, answer: httpx.Response) -> str:
    record = gateway.record(answer.headers["x-prism-decision-id"])
    return " ".join(reason["text"] for reason in record["decision"]["reasons"])


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("wait", [0, 1000])
@pytest.mark.parametrize("size", [0, 5_000_000], ids=["small", "5MB"])
def test_the_first_good_answer_wins(
    shared: Callable[[int], Gateway],
    providers: SimulatedProviders,
    wait: int,
    stream: bool,
    size: int,
) -> None:
    gateway = shared(wait)
    providers.fault("beta", SLOW)
    messages = [{"role": "user", "content": "x" * size or "Capital of France?"}]
    answer = ask(gateway, stream=stream, messages=messages)
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-prism-model"] == "mini"
    assert answer.headers["x-prism-provider"] == "alpha"
    assert answer.headers["x-prism-attempts"] == "2"
    if stream:
        assert answer.text.rstrip().endswith("data: [DONE]")
    else:
        assert answer.json()["model"] == config.upstream("mini")
    got = by_provider(providers)
    assert set(got) == {"beta", "alpha"}
    until(lambda: got["beta"].cancelled, "the loser to be cancelled")
    assert not got["alpha"].cancelled
    for provider, model in (("beta", "giant"), ("alpha", "mini")):
        _is_right(got[provider], model, {"stream": stream, "messages": messages})


def _is_right(request: ReceivedRequest, model: str, members: dict[str, Any]) -> None:
    """Key, path, model and every other byte of the body are those of this provider."""
    headers = {name.lower(): value for name, value in request.headers}
    key = config.KEYS[f"{request.provider.upper()}_KEY"]
    assert headers["authorization"] == f"Bearer {key}"
    assert request.path == f"/{request.provider}/v1/chat/completions?a=b"
    assert headers["content-length"] == str(len(request.body))
    assert not [name for name in headers if name.startswith(("x-prism-", "x-envoy-"))]
    sent = {**QUESTION, **members}
    expected = httpx.Request("POST", "http://x", json={**sent, "model": config.upstream(model)})
    assert json.loads(request.body)["model"] == config.upstream(model)
    assert request.body == expected.content


def test_a_quick_first_model_is_alone(
    racing: Callable[..., Gateway], providers: SimulatedProviders
) -> None:
    gateway = racing(waitMs=20_000)
    answer = ask(gateway)
    assert answer.headers["x-prism-model"] == "giant"
    assert answer.headers["x-prism-attempts"] == "1"
    assert [request.provider for request in providers.requests] == ["beta"]
    assert "giant races mini" in reasons(gateway, answer)
    races = gateway.status()["races"]
    assert (races["sent"], races["secondStarted"]) == (1, 0)


def test_a_fast_error_does_not_beat_a_slow_answer(
    racing: Callable[..., Gateway], providers: SimulatedProviders
) -> None:
    gateway = racing(waitMs=0)
    providers.fault("beta", Fault(kind=FaultKind.DELAY, delay_ms=500))
    providers.fault("alpha", FAILS)
    answer = ask(gateway)
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-prism-model"] == "giant"
    assert answer.headers["x-prism-attempts"] == "2"
    assert by_provider(providers)["alpha"].status == 503


def test_a_first_model_that_fails_at_once_is_not_waited_for(
    racing: Callable[..., Gateway], providers: SimulatedProviders
) -> None:
    gateway = racing(waitMs=20_000)
    providers.fault("beta", FAILS)
    answer = ask(gateway)
    assert answer.headers["x-prism-model"] == "mini"
    assert answer.headers["x-prism-attempts"] == "2"
    assert answer.elapsed.total_seconds() < 15
    assert not by_provider(providers)["beta"].cancelled


def test_after_both_have_failed_the_third_answers(
    racing: Callable[..., Gateway], providers: SimulatedProviders
) -> None:
    gateway = racing(waitMs=20_000)
    providers.fault("beta", FAILS)
    providers.fault("alpha", Fault(kind=FaultKind.RESET))
    answer = ask(gateway)
    assert answer.headers["x-prism-model"] == "thinker"
    assert answer.headers["x-prism-attempts"] == "3"


def test_one_more_starts_each_time_the_wait_is_over(
    racing: Callable[..., Gateway], providers: SimulatedProviders
) -> None:
    gateway = racing(waitMs=100)
    providers.fault("beta", HANGS)
    providers.fault("alpha", HANGS)
    answer = ask(gateway)
    assert answer.headers["x-prism-model"] == "thinker"
    got = by_provider(providers)
    until(lambda: got["beta"].cancelled and got["alpha"].cancelled, "both to be cancelled")


def test_without_a_wait_two_race_and_no_more(
    racing: Callable[..., Gateway], providers: SimulatedProviders
) -> None:
    gateway = racing(waitMs=0)
    providers.fault("beta", FAILS)
    providers.fault("alpha", FAILS)
    answer = ask(gateway)
    assert answer.status_code == 503
    error_of(answer)
    assert answer.headers["x-prism-attempts"] == "2"
    assert set(by_provider(providers)) == {"beta", "alpha"}


def test_when_all_hang_the_attempt_timeout_ends_each(
    racing: Callable[..., Gateway], providers: SimulatedProviders
) -> None:
    gateway = racing(waitMs=50, attempt_timeout="500ms")
    for provider in config.PROVIDERS:
        providers.fault(provider, HANGS)
    answer = ask(gateway)
    assert answer.status_code == 504
    error_of(answer)
    assert answer.headers["x-prism-attempts"] == "3"
    got = by_provider(providers)
    until(lambda: all(request.cancelled for request in got.values()), "all to be cancelled")


def test_a_client_that_leaves_ends_both(
    shared: Callable[[int], Gateway], providers: SimulatedProviders
) -> None:
    gateway = shared(0)
    for provider in config.PROVIDERS:
        providers.fault(provider, HANGS)
    headers = {"authorization": f"Bearer {config.CLIENT_KEY}", "x-prism-mode": "sport"}
    with httpx.Client() as client, pytest.raises(httpx.ReadTimeout):
        client.post(
            f"{gateway.base_url}/chat/completions",
            json=QUESTION,
            headers=headers,
            timeout=httpx.Timeout(60, read=2),
        )
    until(lambda: len(providers.requests) == 2, "both to be asked")
    until(lambda: all(request.cancelled for request in providers.requests), "both to be ended")


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ({"key": DENIED_KEY}, "policy denied denies racing"),
        ({"tools": [HOSTED]}, "at the provider's side"),
        ({"store": True}, "at the provider's side"),
        ({"mode": "balanced"}, ""),
        ({"model": "giant"}, ""),
    ],
    ids=["policy", "hosted-tool", "store", "other-mode", "one-model"],
)
def test_not_raced(
    shared: Callable[[int], Gateway],
    providers: SimulatedProviders,
    what: dict[str, Any],
    why: str,
) -> None:
    gateway = shared(0)
    before = gateway.status()["races"]["sent"]
    providers.fault("beta", Fault(kind=FaultKind.DELAY, delay_ms=500))
    answer = ask(gateway, **what)
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-prism-attempts"] == "1"
    assert [request.provider for request in providers.requests] == ["beta"]
    said = reasons(gateway, answer)
    assert why in said
    assert ("not raced" in said) is bool(why)
    assert gateway.status()["races"]["sent"] == before


@pytest.mark.parametrize("bound", [{"maxShare": 0}, {"maxCostPerHour": 0}], ids=["share", "cost"])
def test_bounds_of_nothing_let_nobody_race(
    racing: Callable[..., Gateway], providers: SimulatedProviders, bound: dict[str, int]
) -> None:
    gateway = racing(waitMs=0, **bound)
    answer = ask(gateway)
    assert [request.provider for request in providers.requests] == ["beta"]
    assert "used up" in reasons(gateway, answer)


def test_what_losers_cost_is_counted_and_bounded(
    racing: Callable[..., Gateway], providers: SimulatedProviders
) -> None:
    # giant's prompt of 1000 tokens costs 0.01 dollars: the first race uses that up.
    gateway = racing(waitMs=0, maxCostPerHour=0.005)
    providers.fault("beta", HANGS)
    long = [{"role": "user", "content": "word " * 800}]
    answer = ask(gateway, messages=long, stream=True)
    assert answer.headers["x-prism-model"] == "mini"
    record = gateway.record(answer.headers["x-prism-decision-id"])
    tokens = record["signals"]["inputTokens"]
    until(lambda: gateway.status()["races"]["wins"] == {"mini": 1}, "the race to be counted")
    races = gateway.status()["races"]
    assert (races["sent"], races["secondStarted"]) == (1, 1)
    assert races["wastedEstimate"] == {
        "inputTokens": tokens,
        "outputTokens": 0,
        "costUsd": pytest.approx(tokens * 10 / 1e6),
    }
    assert races["lastHourUsd"] == {"default": races["wastedEstimate"]["costUsd"]}
    providers.reset()
    assert "used up" in reasons(gateway, ask(gateway))
    assert len(providers.requests) == 1


def test_losers_have_not_failed(
    racing: Callable[..., Gateway], providers: SimulatedProviders
) -> None:
    """More lost races than it takes failures for a model to go last."""
    gateway = racing(waitMs=0)
    providers.fault("beta", HANGS)
    for _ in range(4):
        assert ask(gateway).headers["x-prism-model"] == "mini"
    # A failure that comes after them is learned after them.
    providers.fault("gamma", FAILS)
    assert ask(gateway, model="thinker").status_code == 503
    until(lambda: "thinker" in gateway.status()["failuresInARow"], "thinker to have failed")
    assert "giant" not in gateway.status()["failuresInARow"]
    assert gateway.status()["failingModels"] == []
