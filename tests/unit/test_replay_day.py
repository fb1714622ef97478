"""A day of simulated traffic: each record, replayed under its snapshot, gives the same decision.

Seeded and pure. Records go through the ledger's columns and back, as a replay finds them; the
configuration changes during the day, and each record is replayed under the plan that decided it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import msgspec

from prism.ledger.entry import decision_row, entry_of
from prism.routing.bounds import Budget, Limits, Period, Racing, Wait, WhenSpent
from prism.routing.budget import Spending, Spent
from prism.routing.candidate_table import CandidateTable
from prism.routing.catalog import Capability, Forced, Mode, Policy, Predictor, Task
from prism.routing.decide import Health, decide
from prism.routing.decision import Decision
from prism.routing.identify import Caller
from prism.routing.other import other_of
from prism.routing.plan import Plan, compile_plan
from prism.routing.record import Record, replay, replay_other
from prism.routing.signals import Classification, Corrections, Signals
from prism.routing.trial import Trial, decide_tried

from .tables import BALANCED, CODE, ECO, MODELS, SIMPLE, SPORT, catalog, policy, table

SEED = 20261127
REQUESTS = 5_000
DAY_S = 86_400.0
BUDGETS = (Budget(Period.DAY, 50.0, WhenSpent.ECO), Budget(Period.MONTH, 900.0, WhenSpent.REFUSE))
PREDICTOR = Predictor("digest", "classifier", dict.fromkeys(Mode, 0.1), {})
NAMES = tuple(model.name for model in MODELS)


def plans() -> list[Plan]:
    """The configurations of the day, one after the other."""
    projects = [
        policy("free", anonymous=True, default_mode=ECO, limits=Limits(max_cost=0.01)),
        policy("search", denied_models=frozenset({"huge"}), allow_racing=False, budgets=BUDGETS),
        policy("europe", allowed_regions=frozenset({"eu"}), allow_pins=False),
        policy("legal", forced=(Forced(CODE, None, "large"), Forced(SIMPLE, SPORT, "spare"))),
        policy("small", allowed_models=frozenset({"tiny", "small"})),
    ]
    raced = table(racing=Racing(frozenset({SPORT, BALANCED}), Wait.FIXED, 50, 1.0, None))
    fewer = table(retry=replace(raced.retry, max_attempts=2), predictor=PREDICTOR)
    tried = replace(raced, candidate=CandidateTable("next", 40))
    dearer = table("next", cells=dict.fromkeys(raced.cells, ("spare", "huge", "tiny")))
    return [
        compile_plan(catalog(*projects, tables=tables, version=f"v{number}"))
        for number, tables in enumerate(((table(),), (raced,), (tried, dearer), (fewer,)), 1)
    ]


def asked(chance: random.Random) -> Signals:
    """One request's signals, odd ones among them."""
    limits = Limits()
    if chance.random() < 0.2:
        limits = Limits(
            chance.choice([None, 0.0001, 0.005, 0.1]),
            chance.choice([None, 0.55, 0.8, 0.99]),
            chance.choice([None, 500.0, 8_000.0, 60_000.0]),
        )
    return Signals(
        model=chance.choice(["auto"] * 60 + [*NAMES, "prism", "gpt-4", "", "naïve \x00"]),
        pin=chance.choice([None] * 20 + ["medium", "nothing", "auto"]),
        mode=chance.choice([None, *Mode]),
        limits=limits,
        needs=frozenset(chance.sample([*Capability], chance.choice([0, 0, 0, 1, 2]))),
        input_tokens=int(chance.lognormvariate(6, 1.5)),
        max_output_tokens=chance.choice([None, None, 16, 4_096, 200_000]),
        stream=chance.random() < 0.5,
        acts_at_provider=chance.random() < 0.05,
    )


def classification(chance: random.Random) -> Classification | None:
    if chance.random() < 0.1:
        return None
    weights = [chance.random() ** 3 + 1e-9 for _ in Task]
    shares = {task: weight / sum(weights) for task, weight in zip(Task, weights, strict=True)}
    top = max(shares, key=lambda task: shares[task])
    corrections = None
    if chance.random() < 0.5:
        by_model = {name: round(chance.gauss(0, 0.2), 4) for name in NAMES}
        corrections = Corrections(chance.choice(["digest", "another"]), by_model)
    return Classification(top, shares[top], shares, corrections)


def spending(chance: random.Random) -> Spending:
    """What is known of the budgets; most have room."""
    return {
        (budget.period, budget.action): Spent(
            round(chance.uniform(0, 1000), 6),
            chance.random() < 0.95,
            chance.random() < 0.8,
            1_790_000_000,
            chance.randint(1, 86_400),
        )
        for budget in BUDGETS
    }


def day(made: list[Plan]) -> Iterator[Record]:
    chance = random.Random(SEED)
    for number in range(REQUESTS):
        time = DAY_S * number / REQUESTS
        plan = made[int(len(made) * number / REQUESTS)]
        owner: Policy | None = chance.choice([None, *plan.policies.values()])
        failing = frozenset(chance.sample(NAMES, chance.choice([0, 0, 0, 1, 2, len(NAMES)])))
        timed = chance.sample(NAMES, chance.randint(0, len(NAMES)))
        health = Health(failing, {name: chance.lognormvariate(6, 1) for name in timed})
        known, signals = classification(chance), asked(chance)
        late = "deadline of 20 ms passed" if known is None and chance.random() < 0.5 else None
        room, retry, spent = chance.random() < 0.8, chance.random() < 0.9, spending(chance)
        decide_now = partial(
            decide,
            plan,
            signals=signals,
            classification=known,
            health=health,
            degraded=late,
            race_allowed=room,
            retry_allowed=retry,
            spending=spent,
        )
        caller, trials = Caller(owner, plan.default_table), list[Trial | None]()

        def decided(by: Caller, trial: Trial | None) -> Decision:
            trials.append(trial)  # noqa: B023 - called before the next turn
            return decide_now(caller=by, trial=trial)  # noqa: B023

        decision = decide_tried(plan, caller, signals, f"talk {number}", decided)
        other = None
        if (trial := trials[-1]) is not None:
            inputs = signals, known, late, health, spent, None
            other = other_of(plan, trial, decision, caller, *inputs)
        name = f"{int(time * 1000):012x}{chance.getrandbits(64):016x}"
        yield Record(
            *(name, time, plan.version, signals, known, health, room, decision),
            retry_allowed=retry,
            spending=spent,
            trial=trial,
            other=other,
        )


def kept(record: Record) -> Record:
    """The record as the ledger gives it back."""
    row = decision_row(record, None)
    row["record"] = msgspec.json.decode(msgspec.json.encode(row["record"]))
    return entry_of(row).record


def test_a_day_replayed_under_its_snapshots_gives_the_same_decisions() -> None:
    made = plans()
    by_version = {plan.version: plan for plan in plans()}
    refused = degraded = raced = tried = 0
    for record in day(made):
        again = kept(record)
        assert again == record
        # Compiled anew, as a later process has it.
        plan = by_version[again.plan_version]
        assert replay(plan, again) == record.decision
        assert replay_other(plan, again) == record.other
        tried += record.trial is not None and record.trial.applied
        refused += record.decision.refusal is not None
        degraded += record.decision.degraded is not None
        raced += record.decision.race
    # The day had something of everything.
    assert min(refused, degraded, raced, tried) > REQUESTS // 50


def test_another_snapshot_would_have_decided_some_otherwise() -> None:
    made = plans()
    other = made[-1]
    first = [record for record in day(made) if record.plan_version == made[0].version]
    changed = sum(replay(other, record) != record.decision for record in first)
    assert 0 < changed < len(first)
