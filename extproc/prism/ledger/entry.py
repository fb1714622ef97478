"""What the ledger keeps of one request, and how it is laid into columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from prism.ledger.tables import CANDIDATE, OUTCOME
from prism.routing.attempt import Attempt
from prism.routing.feedback import Feedback
from prism.routing.record import Outcome, Record

MOST_NAME = 256
"""Characters kept of a model's name from a client: as many as a request may have."""
_OUTCOME_MEMBERS = {
    "status": "status",
    "answered_by": "model",
    "provider": "provider",
    "attempts": "attempts",
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cached_input_tokens": "cached_input_tokens",
    "cache_write_tokens": "cache_write_tokens",
    "first_byte_ms": "first_byte_ms",
    "total_ms": "total_ms",
    "trace_id": "trace_id",
}

_NO_CANDIDATE = dict.fromkeys(CANDIDATE)


class Ended(NamedTuple):
    """A request is over: what came of it, and what it cost in US dollars where that is known."""

    decision_id: str
    outcome: Outcome
    cost_usd: float | None


@dataclass(frozen=True, slots=True)
class Entry:
    """A decision as the ledger has it, with its outcome in ``record``."""

    record: Record
    cost_usd: float | None = None
    feedback: tuple[Feedback, ...] = ()


def decision_row(record: Record, ended: Ended | None) -> dict[str, Any]:
    """The columns of ``decisions``."""
    decision, estimate = record.decision, record.decision.estimate
    return {
        "decision_id": record.decision_id,
        "time_ms": round(record.time * 1000),
        "project": decision.project,
        "policy": decision.policy,
        "routing_table": decision.table,
        "plan_version": record.plan_version,
        "task": str(decision.task),
        "mode": str(decision.mode),
        "confidence": decision.confidence,
        "degraded": decision.degraded is not None,
        "raced": decision.race,
        "model": decision.models[0] if decision.models else None,
        "refusal": None if decision.refusal is None else str(decision.refusal.code),
        "estimate_usd": None if estimate is None else estimate.cost_usd,
        "record": _inputs(record),
        **candidate_columns(record),
        **outcome_columns(ended),
    }


def candidate_columns(record: Record) -> dict[str, Any]:
    """Those of a table's candidate; all ``None`` where it has none."""
    trial, other = record.trial, record.other
    if trial is None:
        return _NO_CANDIDATE
    known = {
        "candidate_table": trial.candidate,
        "candidate_generation": trial.generation,
        "candidate_of": trial.table,
        "candidate_applied": trial.applied,
    }
    if other is None:
        return {**_NO_CANDIDATE, **known}
    decision = other.decision
    return {
        **known,
        "quality": other.chosen_quality,
        "other_model": decision.models[0] if decision.models else None,
        "other_estimate_usd": None if decision.estimate is None else decision.estimate.cost_usd,
        "other_quality": other.quality,
    }


def outcome_columns(ended: Ended | None) -> dict[str, Any]:
    """The columns that are known at the end; all ``None`` where it is not there yet."""
    if ended is None:
        return dict.fromkeys(OUTCOME)
    outcome = ended.outcome
    known = {column: getattr(outcome, name) for column, name in _OUTCOME_MEMBERS.items()}
    tried = [one.to_json_dict() for one in outcome.tried] or None
    return {**known, "cost_usd": ended.cost_usd, "tried": tried}


def entry_of(row: Mapping[str, Any], feedback: tuple[Feedback, ...] = ()) -> Entry:
    """The entry that these columns hold."""
    record = Record.from_json_dict({**row["record"], "outcome": None})
    known = {name: row[column] for column, name in _OUTCOME_MEMBERS.items()}
    if any(value is not None for value in known.values()):
        tried = tuple([Attempt.from_json_dict(one) for one in row["tried"] or ()])
        record = replace(record, outcome=Outcome(**known, tried=tried))
    return Entry(record, row["cost_usd"], feedback)


def _inputs(record: Record) -> dict[str, Any]:
    """The record as JSON, without the outcome, which has columns of its own."""
    data = record.to_json_dict()
    del data["outcome"]
    signals = data["signals"]
    for name in ("model", "pin"):
        if signals[name] is not None:
            signals[name] = plain(signals[name][:MOST_NAME])
    return data


def plain(text: str) -> str:
    """``text`` as every database takes it: a lone surrogate is no character."""
    return text.encode("utf-8", "replace").decode("utf-8")
