"""What the route stage writes of a request that races, and when it does not let it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from prism.exchange.route import RouteStage
from prism.exchange.steps import Classify, RequestHeaders, Rewrite
from prism.exchange.targets import Live
from prism.routing.bounds import Racing, Wait
from prism.routing.decide import Health
from prism.routing.racing import Races
from prism.routing.record import Record, replay

from .stages import CHAT, KEYS, encoded, live
from .tables import SPORT, catalog, classified, table

ID = "0193c0ffee00" + "7fffffff" + "00000000"
RACING = Racing(frozenset({SPORT}), Wait.FIXED, 250, 1.0, None)


def sent(live: Live, races: Races | None = None, **members: Any) -> tuple[RouteStage, Rewrite]:
    """A sport request (huge, large, medium of cedar, birch, acorn) at the route stage."""
    stage = RouteStage(live, Health(), ID, races or Races())
    headers = {":method": "POST", ":path": CHAT, "x-prism-mode": "sport"}
    stage.on_headers(RequestHeaders(headers, complete=False))
    step = stage.on_body(encoded(**members))
    if isinstance(step, Classify):
        step = stage.on_classified(classified(), None)
    assert isinstance(step, Rewrite), step
    return stage, step


def live_of(keys: dict[str, str] = KEYS, **changes: Any) -> Live:
    return live(catalog(tables=(table(racing=replace(RACING, **changes)),)), keys)


def test_the_first_attempt_passes_the_internal_listener_and_envoy_hedges() -> None:
    stage, step = sent(live_of())
    headers = dict(step.set_headers)
    assert "x-prism-first-cluster" not in headers
    assert headers["x-envoy-hedge-on-per-try-timeout"] == "true"
    assert headers["x-envoy-upstream-rq-per-try-timeout-ms"] == "250"
    assert headers["x-envoy-max-retries"] == "2"
    assert step.labels["x-prism-attempt-timeout-ms"] == "30000"
    clusters = [step.labels[f"x-prism-cluster-{n}"].split("/")[2] for n in (1, 2, 3)]
    assert clusters == ["huge", "large", "medium"]
    assert headers["authorization"] == "Bearer sk-cedar"
    assert stage.race is not None
    assert [model.name for model in stage.race.models] == clusters
    assert stage.race.wait_ms == 250


def test_without_a_wait_two_start_and_no_more() -> None:
    stage, step = sent(live_of(wait_ms=0))
    headers = dict(step.set_headers)
    assert headers["x-envoy-upstream-rq-per-try-timeout-ms"] == "1"
    assert headers["x-envoy-max-retries"] == "1"
    assert stage.race is not None
    assert [model.name for model in stage.race.models] == ["huge", "large"]


def test_the_wait_is_the_measured_one_of_the_first_model() -> None:
    def p95_ms(model: str, prior_ms: float, *, streamed: bool) -> float:
        assert (model, prior_ms, streamed) == ("huge", 1600.0, True)
        return 2345.6

    _, step = sent(live_of(wait=Wait.P95), Races({}, p95_ms), stream=True)
    assert dict(step.set_headers)["x-envoy-upstream-rq-per-try-timeout-ms"] == "2346"


def unraced(stage: RouteStage, step: Rewrite) -> bool:
    """Whether nothing but the usual was written."""
    headers = dict(step.set_headers)
    straight = "x-prism-first-cluster" in headers
    assert straight is ("x-envoy-hedge-on-per-try-timeout" not in headers)
    assert (stage.race is None) is ("x-prism-attempt-timeout-ms" not in step.labels)
    return stage.race is None and straight


@pytest.mark.parametrize(
    "members",
    [
        {"tools": [{"type": "web_search"}]},
        {"tools": [{"type": "function", "function": {"name": "f"}}, {"type": "mcp"}]},
        {"web_search_options": {}},
        {"store": True},
        {"background": True},
    ],
    ids=str,
)
def test_what_acts_at_the_provider_is_not_raced(members: dict[str, Any]) -> None:
    stage, step = sent(live_of(), **members)
    assert unraced(stage, step)
    assert stage.routed is not None
    assert "the provider's side" in stage.routed.decision.reasons[-1].text


@pytest.mark.parametrize(
    "members",
    [
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        {"tools": [{"type": "custom", "custom": {"name": "f"}}]},
        {"tools": []},
        {"functions": [{"name": "f"}]},
        {"store": False, "background": None},
    ],
    ids=str,
)
def test_what_the_client_runs_is_raced(members: dict[str, Any]) -> None:
    assert not unraced(*sent(live_of(), **members))


def test_a_missing_key_of_the_second_leaves_no_race_but_failover() -> None:
    keys = {name: key for name, key in KEYS.items() if name != "birch-key"}
    stage, step = sent(live_of(keys))
    assert unraced(stage, step)
    assert dict(step.set_headers)["x-envoy-max-retries"] == "1"


def test_a_missing_key_of_the_third_shortens_the_race() -> None:
    keys = {name: key for name, key in KEYS.items() if name != "acorn-key"}
    stage, _ = sent(live_of(keys))
    assert stage.race is not None
    assert [model.name for model in stage.race.models] == ["huge", "large"]


@pytest.mark.parametrize("spent", [0.0, 9.0])
def test_a_record_replays_to_the_same_decision(spent: float) -> None:
    made = live_of(max_cost_per_hour=5.0)
    stage, step = sent(made, Races({"main": spent}))
    assert unraced(stage, step) is (spent > 5)
    routed = stage.routed
    assert routed is not None
    assert routed.race_allowed is (spent < 5)
    inputs = routed.signals, routed.classification, Health(), routed.race_allowed
    record = Record(ID, 0, "v", *inputs, routed.decision)
    again = Record.from_json_dict(record.to_json_dict())
    assert replay(made.plan, again) == routed.decision
