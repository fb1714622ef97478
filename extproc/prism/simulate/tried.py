"""A recorded decision whose table has a candidate: what each of the two tables chose."""

from __future__ import annotations

from prism.routing.decision import Decision
from prism.routing.plan import Plan
from prism.routing.record import Record
from prism.simulate.again import Again, Untold, cost_of, why


def tried(record: Record, plan: Plan, measured_usd: float | None = None) -> Again:
    """The table's choice as before, its candidate's as after. Raises ``Untold``.

    ``measured_usd`` is what the answer cost. What the other model would have cost is by the prices
    in ``plan`` for the tokens of that answer, or as estimated then where its table is gone.
    """
    trial, other = record.trial, record.other
    if trial is None or other is None:
        raise Untold("its table had no candidate, or it named its model")
    candidate = plan.tables.get(trial.candidate)
    if candidate is None or candidate.generation != trial.generation:
        raise Untold("its candidate was another version")
    applied = record.decision
    answered = (record.outcome and record.outcome.model) or _first(applied)
    cost = measured_usd
    if cost is None:
        cost = _cost(record, plan, answered, applied)
    here = there = answered, cost, other.chosen_quality
    # Where the same model comes first, a failure of it would have led to the same other one.
    if not other.agrees(applied):
        instead = _first(other.decision)
        there = instead, _cost(record, plan, instead, other.decision), other.quality
    before, after = (there, here) if trial.applied else (here, there)
    return Again(
        *(record.decision_id, applied.project, applied.task, applied.mode),
        before=before[0],
        after=after[0],
        cost_before=before[1],
        cost_after=after[1],
        quality_before=before[2],
        quality_after=after[2],
        why=why(applied if trial.applied else other.decision),
    )


def _first(decision: Decision) -> str | None:
    return decision.models[0] if decision.models else None


def _cost(record: Record, plan: Plan, model: str | None, by: Decision) -> float | None:
    table = plan.tables.get(by.table)
    found = None if table is None else cost_of(record, model, table)
    if found is None and by.estimate is not None:
        return by.estimate.cost_usd
    return found
