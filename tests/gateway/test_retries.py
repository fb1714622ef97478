"""Further attempts are bounded, on a real Envoy: by a budget, and by one deadline for all."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from prism.providers import Fault, FaultKind, SimulatedProviders

from . import config
from .running import Gateway, chat, error_of, until

QUESTION = chat("What is the capital of France?")
HEADERS = {"authorization": f"Bearer {config.CLIENT_KEY}", "x-prism-mode": "sport"}
HANG = Fault(kind=FaultKind.HANG)
FAILS = Fault(kind=FaultKind.STATUS, status=500)
SPENT = "retry budget spent: one attempt only"
MODELS = ["giant", "mini", "thinker"]  # at beta, alpha, gamma
CELLS = {task: dict.fromkeys(("eco", "balanced", "sport"), MODELS) for task in config.CELLS}


def ask(gateway: Gateway, **more: Any) -> httpx.Response:
    url, body = f"{gateway.base_url}/chat/completions", {**QUESTION, **more}
    return httpx.post(url, json=body, headers=HEADERS, timeout=120)


def retry(percent: int = 20, reserve: int = 20, **changes: str) -> dict[str, Any]:
    budget = {"percent": percent, "reserve": reserve}
    return {"maxAttempts": 3, "attemptTimeout": "60s", "budget": budget, **changes}


def reasons(record: dict[str, Any]) -> list[str]:
    return [reason["text"] for reason in record["decision"]["reasons"]]


def test_a_burst_of_errors_is_not_amplified(
    own_gateway: Callable[..., Gateway], providers: SimulatedProviders
) -> None:
    gateway = own_gateway(cells=CELLS, retry=retry(reserve=5))
    for provider in config.PROVIDERS:
        fault = Fault(kind=FaultKind.STATUS, status=500, probability=0.3)
        providers.fault(provider, fault)
    asked, began = 120, time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ask(gateway), range(asked)))
    by_the_clock = 1 + (time.monotonic() - began) * 5 / 200
    further = len(providers.requests) - asked
    # 0.39 of the requests would ask for one; a budget that is too tight would show, too.
    assert 10 <= further <= 5 + 0.2 * asked + by_the_clock
    assert gateway.status()["retries"]["made"] == further
    failed = [answer for answer in answers if answer.status_code != 200]
    assert {answer.status_code for answer in failed} <= {500, 503}
    records = [gateway.record(answer.headers["x-prism-decision-id"]) for answer in failed]
    denied = [r for r in records if SPENT in reasons(r) or "note" in r["outcome"]]
    assert denied, "those that got no further attempt say why"
    for record in denied:
        assert record["retryAllowed"] is (SPENT not in reasons(record))


def test_requests_under_way_cannot_overdraw_the_budget(
    own_gateway: Callable[..., Gateway], providers: SimulatedProviders
) -> None:
    gateway = own_gateway(retry=retry(percent=0, reserve=1))
    providers.fault("beta", Fault(kind=FaultKind.STATUS, status=500, delay_ms=6000))
    with ThreadPoolExecutor(2) as pool:
        answers = sorted(pool.map(lambda _: ask(gateway), range(2)), key=lambda a: a.status_code)
    assert [answer.status_code for answer in answers] == [200, 503]
    denied = answers[1]
    assert error_of(denied)["code"] == "retry_budget_spent"
    assert denied.headers["retry-after"] == "1"
    assert "x-envoy-ratelimited" not in denied.headers
    assert len(providers.requests) == 3, "the denied attempt reached nobody"
    record = gateway.record(denied.headers["x-prism-decision-id"])
    assert record["outcome"]["note"] == "retry budget spent"
    providers.fault("beta", FAILS)
    answer = ask(gateway)
    assert (answer.status_code, answer.headers["x-prism-attempts"]) == (500, "1")
    assert SPENT in reasons(gateway.record(answer.headers["x-prism-decision-id"]))


def test_past_the_deadline_the_client_gets_504_and_nobody_works_on(
    own_gateway: Callable[..., Gateway], providers: SimulatedProviders
) -> None:
    gateway = own_gateway(cells=CELLS, retry=retry(totalTimeout="1s"))
    providers.fault("beta", HANG)
    answer = ask(gateway)
    assert answer.status_code == 504
    error = error_of(answer)
    assert error["code"] == "deadline_exceeded"
    assert "within 1 s" in error["message"]
    (request,) = providers.requests
    until(lambda: request.cancelled, "the attempt to be cancelled")
    record = gateway.record(answer.headers["x-prism-decision-id"])
    assert record["outcome"]["note"] == "no answer began within 1 s"


def test_a_later_attempt_gets_what_is_left_of_the_time(
    own_gateway: Callable[..., Gateway], providers: SimulatedProviders
) -> None:
    gateway = own_gateway(retry=retry(totalTimeout="3s"))
    providers.fault("beta", FAILS)
    providers.fault("alpha", HANG)
    answer = ask(gateway)
    assert answer.status_code == 504
    assert "in time" in error_of(answer)["message"]
    assert answer.headers["x-prism-attempts"] == "2"
    until(lambda: providers.requests[1].cancelled, "the second attempt to be cancelled")


def test_an_answer_that_has_begun_takes_as_long_as_it_likes(
    own_gateway: Callable[..., Gateway], providers: SimulatedProviders
) -> None:
    gateway = own_gateway(retry=retry(totalTimeout="4s", attemptTimeout="4s"))
    providers.fault("alpha", Fault(kind=FaultKind.SLOW, between_ms=1500))
    began = time.monotonic()
    for fault in (None, FAILS):  # the first attempt answers, then the second
        if fault is not None:
            providers.fault("beta", fault)
        model = "mini" if fault is None else "auto"
        answer = ask(gateway, stream=True, model=model)
        assert answer.headers["x-prism-model"] == "mini"
        assert answer.text.rstrip().endswith("[DONE]")
    assert time.monotonic() - began > 8
