"""Two tables for one request: which decides, what the other would have, and that policy holds."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prism.routing.budget import NOTHING_SPENT
from prism.routing.candidate_table import CandidateTable
from prism.routing.catalog import Forced, Policy, Table
from prism.routing.decide import Health, decide
from prism.routing.decision import Decision, Step
from prism.routing.identify import Caller
from prism.routing.other import other_of
from prism.routing.plan import Plan, compile_plan
from prism.routing.record import Record, replay, replay_other
from prism.routing.signals import Classification, Signals
from prism.routing.sticking import Held
from prism.routing.trial import Trial, decide_tried

from .tables import BALANCED, CODE, VISION, catalog, classified, policy, signals, table
from .test_decide_properties import (
    classifications,
    modes,
    name_sets,
    names,
    policies,
    requests,
    tables,
)

# main: code, balanced is medium (acorn, eu), large (birch, us)
# next: small (birch, us), large
CLASSIFIED = classified()
CELLS = dict.fromkeys(table().cells, ("small", "large"))


def next_table(**changes: Any) -> Table:
    return table("next", **{"generation": "7", "cells": CELLS, **changes})


def plan(
    percent: int, *policies: Policy, main: Table | None = None, other: Table | None = None
) -> Plan:
    made = replace(main or table(), candidate=CandidateTable("next", percent))
    return compile_plan(catalog(*policies, tables=(made, other or next_table())))


def tried(
    made: Plan,
    held: Policy | None = None,
    key: str = "k",
    known: Classification | None = CLASSIFIED,
    health: Health | None = None,
    talk: Held | None = None,
    **asks: Any,
) -> Record:
    """A record of a request, as the server makes it."""
    asked, health = signals(**asks), health or Health()
    trials: list[Trial | None] = []

    def decided(by: Caller, trial: Trial | None) -> Decision:
        trials.append(trial)
        return decide(made, by, asked, known, health, held=talk, trial=trial)

    caller = Caller(held, made.tables["main"])
    decision = decide_tried(made, caller, asked, key, decided)
    trial, other = trials[-1], None
    if trial is not None:
        other = other_of(
            *(made, trial, decision, caller, asked, known, None, health, NOTHING_SPENT, talk)
        )
    return Record(
        *("d", 0.0, made.version, asked, known, health, True, decision),
        held=talk,
        trial=trial,
        other=other,
    )


@dataclass(frozen=True)
class Case:
    """What is asked, who decides (``None``: no candidate takes part), both orders of models."""

    id: str
    applied: bool | None
    models: tuple[str, ...]
    other: tuple[str, ...] = ()
    says: str = ""
    percent: int = 100
    policy: Policy | None = None
    asks: dict[str, Any] = field(default_factory=dict)
    main: Table | None = None
    next: Table | None = None


TABLE = ("medium", "large")
NEXT = ("small", "large")
CASES = [
    Case("shadow", False, TABLE, NEXT, "next, the candidate of table main, is only compared", 0),
    Case("applied", True, NEXT, TABLE, "decides 100% of conversations, this one among them"),
    Case("not this one", False, TABLE, NEXT, "decides 1% of conversations, not this one", 1),
    Case("a pin is nobody's choice", None, ("huge",), asks={"pin": "huge"}),
    Case("nor is a model that is named", None, ("huge",), asks={"model": "huge"}),
    Case(
        "policy denies in both",
        True,
        ("large",),
        ("medium", "large"),
        policy=policy(denied_models=frozenset({"small"})),
    ),
    Case(
        "a region holds in both",
        True,
        # No model of its cell is in the EU, so the best other one is.
        ("medium", "tiny"),
        ("medium",),
        policy=policy(allowed_regions=frozenset({"eu"})),
    ),
    Case("needs hold in both", True, ("large",), TABLE, asks={"needs": frozenset({VISION})}),
    Case(
        "what policy forces is forced in both",
        True,
        ("huge",),
        ("huge",),
        policy=policy(forced=(Forced(CODE, None, "huge"),)),
    ),
    Case(
        "a candidate that lacks a forced model has no say",
        None,
        ("spare",),
        policy=policy(forced=(Forced(CODE, None, "spare"),)),
        next=next_table(models={n: table().models[n] for n in ("small", "large")}),
    ),
    Case(
        "a candidate refuses nobody",
        False,
        ("medium",),
        (),
        "was to decide and has no model for this request",
        policy=policy(allowed_models=frozenset({"medium"})),
        next=next_table(models={n: table().models[n] for n in ("small", "large")}),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_who_decides(case: Case) -> None:
    held = [] if case.policy is None else [case.policy]
    made = plan(case.percent, *held, main=case.main, other=case.next)
    record = tried(made, case.policy, **case.asks)
    assert record.decision.models == case.models
    if case.applied is None:
        assert record.trial is None
        assert record.decision.table == "main"
        return
    assert record.trial is not None
    assert record.other is not None
    assert record.trial.applied is case.applied
    assert record.trial.generation == "7"
    tables = ("main", "next")
    assert record.decision.table == tables[case.applied]
    assert record.other.decision.table == tables[not case.applied]
    assert record.other.decision.models == case.other
    (said,) = [r.text for r in record.decision.reasons if r.step is Step.TABLE]
    assert case.says in said


def test_a_refusal_of_both_is_the_tables_own() -> None:
    record = tried(plan(100), needs=frozenset({VISION}), input_tokens=2_000_000)
    assert record.trial is not None
    assert (record.trial.chosen, record.trial.applied) == (True, False)
    assert record.decision.refusal is not None
    assert record.other is not None
    assert record.other.agrees(record.decision)


def test_qualities_are_by_the_candidates_numbers() -> None:
    better = {**table().models, "medium": replace(table().models["medium"], quality={CODE: 0.9})}
    record = tried(plan(0, other=next_table(models=better)))
    assert record.other is not None
    assert (record.other.chosen_quality, record.other.quality) == (0.9, 0.6)
    only = {name: model for name, model in table().models.items() if name != "medium"}
    record = tried(plan(0, other=next_table(models=only)))
    assert record.other is not None
    assert record.other.chosen_quality == 0.75


def test_a_conversation_stays_within_the_table_that_decides() -> None:
    talk = Held("large", BALANCED, 10.0)
    record = tried(plan(100), conversation="0123456789abcdef", talk=talk)
    assert record.decision.models[0] == "large"
    gone = next_table(models={n: table().models[n] for n in ("small", "spare")})
    gone = replace(gone, cells=dict.fromkeys(gone.cells, ("small",)))
    record = tried(plan(100, other=gone), conversation="0123456789abcdef", talk=talk)
    assert record.decision.models == ("small",)
    assert "no longer in the table" in record.decision.reasons[-1].text


def test_a_plan_without_its_candidate_is_none() -> None:
    with pytest.raises(ValueError, match="its candidate 'next' does not exist"):
        compile_plan(catalog(tables=(table(candidate=CandidateTable("next", 0)),)))


def test_a_larger_share_takes_none_away() -> None:
    taken: set[str] = set()
    for percent in range(0, 101, 5):
        now = {f"{n}" for n in range(2000) if CandidateTable("next", percent).takes(f"{n}")}
        assert taken <= now
        taken = now
    assert len(taken) == 2000


@given(st.integers(1, 99), st.text(max_size=20))
def test_the_share_is_kept(percent: int, name: str) -> None:
    share = sum(CandidateTable(name, percent).takes(f"{n:016x}") for n in range(4000)) / 4000
    # Five standard deviations of a fair draw.
    assert abs(share - percent / 100) < 5 * (percent / 100 * (1 - percent / 100) / 4000) ** 0.5


def test_the_split_is_the_same_for_ever() -> None:
    """On every replica, after a restart, and by the next version of Prism."""
    taken = [n for n in range(40) if CandidateTable("next", 25).takes(f"{n:016x}")]
    assert taken == [2, 3, 6, 15, 21, 25, 31, 37, 39]


pairs = st.fixed_dictionaries(
    {
        "main": tables,
        "next": tables,
        "held": st.none() | policies,
        "percent": st.sampled_from([0, 50, 100]),
        "key": st.text(max_size=4),
        "asks": requests,
        "known": classifications,
        "health": st.builds(Health, name_sets),
        "talk": st.none() | st.builds(Held, st.just("gone") | names, modes, st.floats(0, 1000)),
    }
)


def any_pair(case: dict[str, Any]) -> tuple[Plan, Record]:
    held = case["held"]
    other = replace(case["next"], name="next")
    made = plan(case["percent"], *([held] if held else []), main=case["main"], other=other)
    asks = {name: getattr(case["asks"], name) for name in Signals.__slots__}
    return made, tried(made, held, case["key"], case["known"], case["health"], case["talk"], **asks)


@given(pairs)
def test_policy_and_needs_hold_for_both_decisions(case: dict[str, Any]) -> None:
    made, record = any_pair(case)
    held, asked = case["held"], case["asks"]
    for decision in (record.decision, *([record.other.decision] if record.other else [])):
        tab = made.tables[decision.table]
        for model in (tab.models[name] for name in decision.models):
            assert asked.needs <= model.capabilities
            assert asked.input_tokens + (asked.max_output_tokens or 0) <= model.context_length
            if held is None:
                continue
            assert model.name not in held.denied_models
            assert held.allowed_models is None or model.name in held.allowed_models
            region = tab.providers[model.provider].region
            assert held.allowed_regions is None or region in held.allowed_regions
            forced = made.scope(tab, held).forced.get((decision.task, decision.mode))
            assert forced in (None, model.name)


@given(pairs)
def test_a_candidate_refuses_nobody(case: dict[str, Any]) -> None:
    made, record = any_pair(case)
    alone = tried(
        replace(made, tables={**made.tables, "main": case["main"]}),
        case["held"],
        **{n: getattr(case["asks"], n) for n in Signals.__slots__},
        known=case["known"],
        health=case["health"],
        talk=case["talk"],
    )
    if record.decision.refusal is not None:
        assert alone.decision.refusal == record.decision.refusal
    if record.trial is not None and record.trial.applied:
        assert record.decision.refusal is None


@given(pairs)
def test_a_record_decides_again_as_it_did(case: dict[str, Any]) -> None:
    made, record = any_pair(case)
    again = Record.from_json_dict(json.loads(json.dumps(record.to_json_dict())))
    assert again == record
    assert replay(made, again) == record.decision
    assert replay_other(made, again) == record.other
