"""What a decision says where the budget of further attempts is spent."""

from __future__ import annotations

from dataclasses import replace

from prism.exchange.route import RouteStage
from prism.exchange.steps import Classify, RequestHeaders, Rewrite
from prism.routing.bounds import Racing, Wait
from prism.routing.decide import Health, decide
from prism.routing.decision import Decision
from prism.routing.identify import Caller
from prism.routing.plan import compile_plan
from prism.routing.record import Record, replay

from .stages import CHAT, ID, KEYS, encoded, live
from .tables import SPORT, catalog, classified, signals, table

RACING = Racing(frozenset({SPORT}), Wait.FIXED, 0, 1.0, None)


def decided(health: Health, *, retry_allowed: bool, racing: Racing | None = None) -> Decision:
    made = table() if racing is None else table(racing=racing)
    plan = compile_plan(catalog(tables=(made,)))
    asked = signals(mode=SPORT)
    return decide(
        plan, Caller(None, made), asked, classified(), health, retry_allowed=retry_allowed
    )


def texts(decision: Decision) -> list[str]:
    return [reason.text for reason in decision.reasons]


def test_it_says_so() -> None:
    assert "retry budget spent: one attempt only" in texts(decided(Health(), retry_allowed=False))
    assert not [t for t in texts(decided(Health(), retry_allowed=True)) if "budget" in t]


def test_nothing_races() -> None:
    assert decided(Health(), retry_allowed=True, racing=RACING).race
    assert not decided(Health(), retry_allowed=False, racing=RACING).race


def test_no_request_probes_a_failing_model_without_another_to_go_on_to() -> None:
    health = Health(probed=frozenset({"huge"}))
    assert decided(health, retry_allowed=True).models[0] == "huge"
    spent = decided(health, retry_allowed=False)
    assert spent.models[0] == "large"
    assert "failing now, goes last" in texts(spent)


def sent(*, spent: bool, keys: dict[str, str] | None = None) -> tuple[RouteStage, Rewrite]:
    made = live(keys=KEYS if keys is None else keys)
    stage = RouteStage(made, Health(), ID, may_retry=lambda _: not spent)
    headers = {":method": "POST", ":path": CHAT, "x-prism-mode": "sport"}
    stage.on_headers(RequestHeaders(headers, complete=False))
    step = stage.on_body(encoded())
    if isinstance(step, Classify):
        step = stage.on_classified(classified(), None)
    assert isinstance(step, Rewrite)
    return stage, step


def test_envoy_is_told_of_one_attempt() -> None:
    for spent, retries in ((False, "2"), (True, "0")):
        _, step = sent(spent=spent)
        headers = dict(step.set_headers)
        assert headers["x-envoy-max-retries"] == retries
        assert ("x-prism-cluster-2" in step.labels) is not spent


def test_a_missing_key_is_still_passed_over() -> None:
    _, step = sent(spent=True, keys={k: v for k, v in KEYS.items() if k != "cedar-key"})
    assert "/large/" in dict(step.set_headers)["x-prism-first-cluster"]


def test_a_record_replays_to_the_same_decision() -> None:
    for spent in (False, True):
        stage, _ = sent(spent=spent)
        routed = stage.routed
        assert routed is not None
        record = Record(
            decision_id=ID,
            time=0,
            plan_version="v1",
            signals=routed.signals,
            classification=routed.classification,
            health=stage.health,
            race_allowed=routed.race_allowed,
            decision=routed.decision,
            retry_allowed=routed.retry_allowed,
        )
        again = Record.from_json_dict(record.to_json_dict())
        assert replay(stage.live.plan, again) == routed.decision
        other = replace(again, retry_allowed=spent)
        assert replay(stage.live.plan, other) != routed.decision
