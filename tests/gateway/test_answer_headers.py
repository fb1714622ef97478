"""What a provider writes into the headers of its answers that are Envoy's or Prism's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import openai
import pytest

from prism.providers import Fault, FaultKind, SimulatedProviders

from . import config
from .both_apis import HI, SPORT
from .running import Gateway
from .running import chat as chat_body

HEALED = pytest.mark.usefixtures("healed")
QUESTION = chat_body("What is the capital of France?")
OURS = {
    "x-envoy-ratelimited": "true",
    "x-envoy-immediate-health-check-fail": "true",
    "x-envoy-degraded": "true",
    "x-envoy-overloaded": "true",
    "x-envoy-upstream-service-time": "7",
    "x-envoy-decorator-operation": "theirs",
    "x-prism-model": "theirs",
    "x-prism-attempts": "9",
    "x-prism-anything": "at all",
}
DOWN = Fault(kind=FaultKind.STATUS, status=503, headers=OURS)
WELL = Fault(kind=FaultKind.DELAY, headers=OURS)
STREAM = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])


def check(answer: httpx.Response, model: str, attempts: int) -> None:
    """It names who answered, and has nothing of what the provider made up."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-prism-model"] == model
    assert answer.headers["x-prism-attempts"] == str(attempts)
    names = {name.lower() for name in answer.headers}
    assert not [name for name in names if name.startswith("x-envoy-")]
    assert "x-prism-anything" not in names


@HEALED
@STREAM
def test_an_answer_has_only_our_own(
    http: httpx.Client, providers: SimulatedProviders, stream: bool
) -> None:
    providers.fault("alpha", WELL)
    check(http.post("/chat/completions", json={**QUESTION, "stream": stream}), "mini", 1)


@HEALED
@STREAM
def test_the_next_model_is_tried_all_the_same(
    http: httpx.Client, providers: SimulatedProviders, stream: bool
) -> None:
    providers.fault("beta", DOWN)
    providers.fault("alpha", WELL)
    asked = {**QUESTION, "stream": stream}
    check(http.post("/chat/completions", json=asked, headers=SPORT), "mini", 2)
    assert [request.provider for request in providers.requests] == ["beta", "alpha"]


@HEALED
def test_so_is_the_third(
    own_gateway: Callable[..., Gateway], providers: SimulatedProviders
) -> None:
    three = ["giant", "mini", "thinker"]  # at beta, alpha, gamma
    cells = {task: {**cell, "sport": three} for task, cell in config.CELLS.items()}
    for provider in ("beta", "alpha"):
        providers.fault(provider, DOWN)
    check(ask(own_gateway(cells=cells)), "thinker", 3)


@HEALED
def test_so_is_the_other_one_of_a_race(
    own_gateway: Callable[..., Gateway], providers: SimulatedProviders
) -> None:
    racing = {"modes": ["sport"], "maxShare": 1, "waitMs": 20_000}
    providers.fault("beta", DOWN)
    check(ask(own_gateway(racing=racing)), "mini", 2)


@pytest.mark.usefixtures("both_healed")
def test_so_it_is_where_answers_are_translated(
    both_providers: SimulatedProviders, chat: openai.OpenAI
) -> None:
    asked: Any = {"model": "auto", "messages": HI, "extra_headers": SPORT}
    both_providers.fault("claude", DOWN)
    both_providers.fault("openai", WELL)
    raw = chat.chat.completions.with_raw_response.create(**asked)
    assert (raw.headers["x-prism-model"], raw.headers["x-prism-attempts"]) == ("gpt", "2")
    both_providers.reset()
    both_providers.fault("claude", WELL)
    check(chat.chat.completions.with_raw_response.create(**asked).http_response, "opus", 1)


def ask(gateway: Gateway) -> httpx.Response:
    headers = {"authorization": f"Bearer {config.CLIENT_KEY}", **SPORT}
    with httpx.Client(base_url=gateway.base_url, timeout=60) as client:
        return client.post("/chat/completions", json=QUESTION, headers=headers)
