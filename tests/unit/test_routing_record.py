"""Records: what their JSON looks like, and replay under a plan that has changed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from prism.routing.bounds import Limits
from prism.routing.catalog import Policy
from prism.routing.decide import Health, decide
from prism.routing.identify import Caller
from prism.routing.plan import compile_plan
from prism.routing.record import Outcome, Record, Timing, replay, spent_usd

from .tables import ECO, TOOLS, catalog, classified, policy, signals, table


def recorded(held: Policy) -> Record:
    tab = table()
    plan = compile_plan(catalog(held, tables=(tab,)))
    asked = signals(mode=ECO, needs=frozenset({TOOLS}), limits=Limits(max_cost=0.5))
    decision = decide(plan, Caller(held, tab), asked, classified(), Health())
    outcome = Outcome(status=200, model="medium", total_ms=12.5)
    known, health = classified(), Health()
    return Record("d-1", 1.5, plan.version, asked, known, health, True, decision, outcome)


def test_a_record_as_json() -> None:
    data = recorded(policy()).to_json_dict()
    assert data["signals"] == {
        "model": "auto",
        "pin": None,
        "mode": "eco",
        "limits": {"maxCost": 0.5},
        "needs": ["tools"],
        "inputTokens": 1000,
        "maxOutputTokens": None,
        "stream": False,
        "actsAtProvider": False,
        "conversation": None,
        "toolsAtWork": False,
        "sealed": False,
        "counts": False,
        "barred": {},
    }
    assert data["decision"]["models"] == ["medium", "small"]
    assert {"step": "eligible", "text": "lacks tools", "model": "tiny"} in data["decision"][
        "reasons"
    ]
    assert data["outcome"] == {"status": 200, "model": "medium", "totalMs": 12.5}


def test_times_come_back_from_json() -> None:
    made = replace(recorded(policy()), timing=Timing(1, 2, 3, 4))
    assert Record.from_json_dict(made.to_json_dict()) == made
    assert Record.from_json_dict(recorded(policy()).to_json_dict()).timing is None


def test_a_replay_under_another_plan_shows_what_a_change_would_do() -> None:
    record = recorded(policy())
    changed = compile_plan(catalog(policy(denied_models=frozenset({"medium"})), version="v2"))
    assert record.decision.models == ("medium", "small")
    assert replay(changed, record).models == ("small",)


@pytest.mark.parametrize(
    "gone",
    [catalog(), catalog(policy(table="second"), tables=(table(), table("second")))],
    ids=["policy-gone", "policy-moved"],
)
def test_a_replay_without_the_policy_fails_by_name(gone: object) -> None:
    with pytest.raises(LookupError, match="no table 'main' with policy 'acme'"):
        replay(compile_plan(gone), recorded(policy()))  # type: ignore[arg-type]


def test_a_record_without_outcome() -> None:
    record = replace(recorded(policy()), outcome=None)
    assert Record.from_json_dict(record.to_json_dict()) == record


def test_what_an_answer_cost_counts_the_tokens_of_the_cache() -> None:
    plan = compile_plan(catalog())
    # 100 new ones, 500 from the cache, 400 put there; medium costs $1 and $4 a million.
    outcome = Outcome(200, None, "medium", 1, 1000, 10, 500, cache_write_tokens=400)
    assert spent_usd(plan, table().name, outcome) == pytest.approx(100e-6 + 50e-6 + 500e-6 + 40e-6)
    assert spent_usd(plan, table().name, replace(outcome, input_tokens=None)) is None
