"""A month of made-up traffic through the demo's table: decided by the engine, kept in a ledger."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from prism.ledger.batch import write_batch
from prism.ledger.entry import Ended
from prism.ledger.feedback import keep_feedback
from prism.ledger.store import Store
from prism.ledger.stretches import sum_up
from prism.resources import compile_resources, read_folder
from prism.routing.bounds import Limits
from prism.routing.budget import NOTHING_SPENT
from prism.routing.candidate_table import CandidateTable
from prism.routing.catalog import MODES, TASKS, Capability, Catalog, Task
from prism.routing.decide import Health, decide
from prism.routing.decision import Decision
from prism.routing.feedback import Feedback
from prism.routing.identify import Caller
from prism.routing.other import other_of
from prism.routing.plan import Plan, compile_plan
from prism.routing.record import Outcome, Record, spent_usd
from prism.routing.signals import Classification, Signals
from prism.routing.trial import Trial, decide_tried

DEMO = Path(__file__).parents[2] / "examples" / "demo"
DAYS = 30
_DAY_S = 86_400
_TASKS = {Task.SIMPLE: 0.46, Task.CODE: 0.27, Task.REASONING: 0.15, Task.COMPLEX: 0.12}


def demo() -> Catalog:
    """The catalog of ``make demo``."""
    resources, _ = read_folder(DEMO)
    return compile_resources(resources)[0]


def trying(percent: int) -> Catalog:
    """The same with a candidate, which begins with another model at code and at reasoning, for
    ``percent`` of conversations."""
    live = demo()
    table = live.tables[live.default_table]
    cells = {
        key: models[::-1] if key[0] in (Task.CODE, Task.REASONING) else models
        for key, models in table.cells.items()
    }
    other = replace(table, name="next", generation="candidate-1", cells=cells)
    table = replace(table, candidate=CandidateTable("next", percent))
    return replace(live, tables={**live.tables, table.name: table, "next": other})


def month(store: Store, catalog: Catalog, now_s: float, a_day: int = 120) -> None:
    """Some ``a_day`` decisions of each of the last 30 days, their outcomes and grades, with every
    hour summed up that would be."""
    chance, plan = random.Random(20261127), compile_plan(catalog)
    made = list(records(chance, plan, now_s, a_day))
    over = {record.decision_id: ended(chance, plan, record) for record in made[:-3]}
    with store.writing() as connection:
        write_batch(connection, made, over)
        for record in made:
            grade = graded(chance, plan, record, over.get(record.decision_id))
            if grade is not None:
                keep_feedback(connection, grade, record.time + 60)
    due = True
    while due:
        with store.writing() as connection:
            due = sum_up(connection, round(now_s * 1000))


def records(chance: random.Random, plan: Plan, now_s: float, a_day: int) -> Iterator[Record]:
    """More by day than by night, and more each week."""
    times = []
    while len(times) < a_day * DAYS:
        time = now_s - chance.random() * DAYS * _DAY_S
        busy = 0.55 - 0.45 * math.cos((time % _DAY_S) / _DAY_S * 2 * math.pi)
        grown = 0.5 + 0.5 * (1 - (now_s - time) / (DAYS * _DAY_S))
        if chance.random() < busy * grown:
            times.append(time)
    for number, time in enumerate(sorted([*times, now_s - 9, now_s - 5, now_s - 2])):
        yield _record(chance, plan, number, time, now_s)


def _record(chance: random.Random, plan: Plan, number: int, time: float, now_s: float) -> Record:
    policy = chance.choices(
        [*plan.policies.values(), None], [5, *[2] * (len(plan.policies) - 1), 1]
    )
    caller = Caller(policy[0], plan.tables[plan.default_table.name])
    task = chance.choices([*_TASKS], [*_TASKS.values()])[0]
    known = _classified(chance, task)
    asked = Signals(
        model="auto",
        pin=None,
        mode=chance.choices([None, *MODES], [6, 2, 1, 1])[0],
        limits=Limits(),
        needs=frozenset([Capability.TOOLS] if chance.random() < 0.2 else []),
        input_tokens=int(chance.lognormvariate(6.2, 1.0)),
        max_output_tokens=None,
        stream=chance.random() < 0.5,
    )
    # One provider was away for some hours, ten days ago.
    away = 9.9 < (now_s - time) / _DAY_S < 10.15
    health = Health(frozenset(list(plan.default_table.models)[:1] if away else ()))
    name = f"{round(time * 1000):012x}{number:08x}{chance.getrandbits(32):08x}"
    trials: list[Trial | None] = []

    def decided(by: Caller, trial: Trial | None) -> Decision:
        trials.append(trial)
        return decide(plan, by, asked, known, health, trial=trial)

    decision = decide_tried(plan, caller, asked, f"conversation {number // 3}", decided)
    trial, other = trials[-1], None
    if trial is not None:
        inputs = (asked, known, None, health, NOTHING_SPENT, None)
        other = other_of(plan, trial, decision, caller, *inputs)
    of = (name, time, plan.version, asked, known, health, True, decision)
    return Record(*of, trial=trial, other=other)


def _classified(chance: random.Random, task: Task) -> Classification:
    sure = min(0.99, max(0.3, chance.gauss(0.85, 0.12)))
    shares = {one: sure if one == task else (1 - sure) / 3 for one in TASKS}
    return Classification(max(shares, key=lambda one: shares[one]), max(shares.values()), shares)


def ended(chance: random.Random, plan: Plan, record: Record) -> Ended:
    """What came of a decision: of a few, that it failed."""
    decision, asked = record.decision, record.signals
    if not decision.models:
        return Ended(record.decision_id, Outcome(status=decision.refusal and 400), None)
    place = 1 if chance.random() < 0.03 and len(decision.models) > 1 else 0
    model = plan.default_table.models[decision.models[place]]
    output = int(chance.lognormvariate(5.5, 0.7))
    first = model.latency.time_to_first_token_ms * chance.lognormvariate(0, 0.3)
    status = chance.choices([200, 503, 400], [97, 1, 2])[0]
    outcome = Outcome(
        *(status, model.provider, model.name, place + 1, asked.input_tokens, output),
        cached_input_tokens=int(asked.input_tokens * chance.random() * 0.4),
        first_byte_ms=first,
        total_ms=first + output * 1000 / model.latency.tokens_per_second,
    )
    if status != 200:
        outcome = replace(outcome, input_tokens=None, output_tokens=None, cached_input_tokens=None)
    return Ended(record.decision_id, outcome, spent_usd(plan, decision.table, outcome))


def graded(
    chance: random.Random, plan: Plan, record: Record, ended: Ended | None
) -> Feedback | None:
    """Every fifth answer is graded: thumbs, up about as often as the model is good."""
    model = None if ended is None else ended.outcome.model
    if model is None or chance.random() > 0.2:
        return None
    good = plan.default_table.models[model].quality[record.decision.task]
    return Feedback(record.decision_id, float(chance.random() < good - 0.05))
