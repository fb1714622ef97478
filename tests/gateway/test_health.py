"""What the gateway learns of models from what becomes of attempts, on a real Envoy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from prism.providers import Fault, FaultKind, SimulatedProviders

from . import config
from .running import Gateway, chat, free_port, until

QUESTION = chat("What is the capital of France?")
CLIENT = {"authorization": f"Bearer {config.CLIENT_KEY}"}
SPORT = {**CLIENT, "x-prism-mode": "sport"}  # simple, sport: giant (beta), then mini (alpha)
HANG, RESET = Fault(kind=FaultKind.HANG), Fault(kind=FaultKind.RESET)
CUT = Fault(kind=FaultKind.CUT, after_chunks=1)
LIMITED = Fault(kind=FaultKind.STATUS, status=429, retry_after=1)
SHORT = {"maxAttempts": 3, "attemptTimeout": "500ms"}


def status(code: int) -> Fault:
    return Fault(kind=FaultKind.STATUS, status=code)


def ask(gateway: Gateway, **more: Any) -> httpx.Response:
    url, body = f"{gateway.base_url}/chat/completions", {**QUESTION, **more}
    return httpx.post(url, json=body, headers=SPORT, timeout=60)


def failed(gateway: Gateway, *models: str) -> None:
    """Wait until just these models have failed."""
    until(lambda: set(gateway.status()["failuresInARow"]) == set(models), f"{models} to fail")


@pytest.fixture
def learning(own_gateway: Callable[..., Gateway]) -> Gateway:
    return own_gateway(retry=SHORT)


def test_every_way_to_fail_is_learned_of_at_the_first_attempt_and_at_a_later_one(
    learning: Gateway, providers: SimulatedProviders
) -> None:
    for fault in (status(500), status(401), status(403), status(408), RESET, HANG):
        providers.fault("beta", fault)
        answer = ask(learning)
        assert answer.headers["x-prism-model"] == "mini", fault
        failed(learning, "giant")
        # Its success, told by another log, must not come after the failure that follows.
        learning.record(answer.headers["x-prism-decision-id"])
        providers.fault("alpha", fault)
        assert ask(learning).status_code >= 400
        failed(learning, "giant", "mini")
        providers.clear_faults()
        for model in ("giant", "mini"):
            assert ask(learning, model=model).status_code == 200
        failed(learning)


def test_an_answer_counts_after_the_failure_before_it_whichever_log_comes_first(
    learning: Gateway, providers: SimulatedProviders
) -> None:
    for _ in range(4):
        providers.fault("beta", Fault(kind=FaultKind.STATUS, status=500, times=1))
        assert ask(learning).headers["x-prism-model"] == "mini"
        well = ask(learning, model="giant")
        assert well.status_code == 200
        providers.fault("alpha", status(500))
        assert ask(learning, model="mini").status_code == 500
        # The log of attempts has told of this last failure, so of the first one, too.
        until(lambda: "mini" in learning.status()["failuresInARow"], "mini to fail")
        learning.record(well.headers["x-prism-decision-id"])
        assert learning.status()["failuresInARow"] == {"mini": 1}
        providers.clear_faults()
        assert ask(learning, model="mini").status_code == 200
        failed(learning)


def test_an_answer_that_breaks_off_is_a_failure(
    learning: Gateway, providers: SimulatedProviders
) -> None:
    providers.fault("beta", CUT)
    with pytest.raises(httpx.RemoteProtocolError):
        ask(learning, stream=True)
    failed(learning, "giant")


def test_an_error_in_a_stream_is_passed_on_and_is_a_failure(
    learning: Gateway, providers: SimulatedProviders
) -> None:
    providers.fault("beta", Fault(kind=FaultKind.STREAM_ERROR, after_chunks=1))
    answer = ask(learning, stream=True)
    assert (answer.status_code, answer.headers["x-prism-model"]) == (200, "giant")
    assert "The server had an error" in answer.text
    failed(learning, "giant")


def test_a_failure_is_known_while_the_next_model_still_answers(
    learning: Gateway, providers: SimulatedProviders
) -> None:
    providers.fault("beta", status(500))
    providers.fault("alpha", Fault(kind=FaultKind.SLOW, between_ms=3_600_000))
    url = f"{learning.base_url}/chat/completions"
    body = {**QUESTION, "stream": True}
    with httpx.stream("POST", url, json=body, headers=SPORT, timeout=60) as answer:
        assert answer.headers["x-prism-model"] == "mini"
        failed(learning, "giant")


def test_a_client_that_goes_away_is_nobody_s_failure(
    learning: Gateway, providers: SimulatedProviders
) -> None:
    providers.fault("beta", Fault(kind=FaultKind.SLOW, between_ms=3_600_000))
    url = f"{learning.base_url}/chat/completions"
    body = {**QUESTION, "stream": True}
    with httpx.stream("POST", url, json=body, headers=SPORT, timeout=60) as answer:
        decision_id = answer.headers["x-prism-decision-id"]
    learning.record(decision_id)
    assert learning.status()["failuresInARow"] == {}


def test_a_provider_that_is_not_there_fails(
    own_gateway: Callable[..., Gateway], providers: SimulatedProviders
) -> None:
    for url in (f"http://127.0.0.1:{free_port()}/v1", "http://nowhere.invalid/v1"):
        urls = {name: providers.url(name) for name in config.PROVIDERS}
        gateway = own_gateway(providers=config.table({**urls, "beta": url})["spec"]["providers"])
        assert ask(gateway).headers["x-prism-model"] == "mini"
        failed(gateway, "giant")


def test_a_model_that_asks_for_a_pause_gets_it_and_comes_back(
    learning: Gateway, providers: SimulatedProviders
) -> None:
    providers.fault("beta", LIMITED)
    assert ask(learning).headers["x-prism-attempts"] == "2"
    until(lambda: learning.status()["failingModels"] == ["giant"], "the pause to be known")
    providers.clear_faults()
    until(lambda: ask(learning).headers["x-prism-model"] == "giant", "giant to be tried again")
    until(lambda: learning.status()["failingModels"] == [], "giant to be well")
    assert ask(learning).headers["x-prism-model"] == "giant"


def test_one_that_is_still_failing_after_its_pause_costs_no_request(
    learning: Gateway, providers: SimulatedProviders
) -> None:
    providers.fault("beta", LIMITED)
    ask(learning)
    until(lambda: learning.status()["failingModels"] == ["giant"], "the pause to be known")
    until(lambda: learning.status()["restSecondsLeft"]["giant"] == 0, "the pause to be over")
    answers = [ask(learning) for _ in range(5)]
    assert {answer.status_code for answer in answers} == {200}
    assert [a.headers["x-prism-attempts"] for a in answers].count("2") == 1, "one of them tried"
    assert learning.status()["failingModels"] == ["giant"]


def test_measured_latency_is_held_against_a_limit(
    learning: Gateway, providers: SimulatedProviders
) -> None:
    def route() -> dict[str, Any]:
        limit = {"x-prism-max-latency-ms": "1500"}
        url = f"{learning.base_url}/prism/route"
        found: dict[str, Any] = httpx.post(url, json=brief, headers={**SPORT, **limit}).json()
        return found

    brief = {**QUESTION, "max_tokens": 100}  # 100 ms, then 100 tokens a second, says the table
    assert route()["models"][0] == "giant"
    providers.fault("beta", Fault(kind=FaultKind.DELAY, delay_ms=450))
    while learning.status()["firstTokenMs"].get("giant", 0) < 430:
        ask(learning, stream=True)
    decision = route()
    assert decision["models"][0] == "giant", "450 ms and a second for the tokens"
    providers.clear_faults()
    assert 1400 < decision["estimate"]["latencyMs"] < 1500


def test_an_ejected_host_still_answers_and_shows_in_the_metrics(
    learning: Gateway, providers: SimulatedProviders
) -> None:
    def ejected() -> bool:
        lines = httpx.get(f"{learning.admin}/envoy/metrics").text.splitlines()
        active = [li for li in lines if "outlier_detection_ejections_active{" in li]
        return any("/giant/" in line and line.endswith(" 1") for line in active)

    providers.fault("beta", status(503))
    for _ in range(5):
        assert ask(learning, model="giant").status_code == 503
    until(ejected, "the host to be ejected")
    until(lambda: learning.status()["failingModels"] == ["giant"], "giant to go last")
    providers.clear_faults()
    assert ask(learning, model="giant").status_code == 200
    until(lambda: learning.status()["failingModels"] == [], "giant to be well")
    assert ask(learning).headers["x-prism-model"] == "giant"
