"""The whole reasoning behind a decision as one JSON value.

``POST /v1/prism/route`` answers with it, ``prism explain`` prints it, and ``tree`` makes text for
people of it: what is said of a decision is said here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from prism.routing.decision import Decision
from prism.routing.feedback import Feedback
from prism.routing.jsonform import classification_to_json, decision_to_json, signals_to_json
from prism.routing.other import Other
from prism.routing.record import Record
from prism.routing.signals import Classification
from prism.routing.trial import Trial


def explanation(
    decision_id: str,
    plan_version: str,
    decision: Decision,
    known: Classification | None,
    trial: Trial | None = None,
    other: Other | None = None,
) -> dict[str, Any]:
    """A decision that has no outcome: a dry run. ``trial`` and ``other`` are there where its
    table has a candidate."""
    return {
        "object": "prism.decision",
        "id": decision_id,
        "planVersion": plan_version,
        "classification": None if known is None else classification_to_json(known),
        **decision_to_json(decision),
        "candidates": candidates(decision),
        "candidateTable": None if trial is None else _candidate_table(trial, decision, other),
    }


def _candidate_table(trial: Trial, decision: Decision, other: Other | None) -> dict[str, Any]:
    """``other`` is the decision of the table that did not decide; null where it is not known.
    Qualities are those of the models that come first, 0 to 1."""
    told = {
        "name": trial.candidate,
        "generation": trial.generation,
        "of": trial.table,
        "percent": trial.percent,
        "chosen": trial.chosen,
        "applied": trial.applied,
    }
    if other is None:
        return {**told, "agrees": None, "quality": None, "otherQuality": None, "other": None}
    return {
        **told,
        "agrees": other.agrees(decision),
        "quality": other.chosen_quality,
        "otherQuality": other.quality,
        "other": {**decision_to_json(other.decision), "candidates": candidates(other.decision)},
    }


def explanation_of(
    record: Record, cost_usd: float | None = None, feedback: Iterable[Feedback] = ()
) -> dict[str, Any]:
    """A decision that was made for a request, with what came of it. ``time`` is in seconds since
    the epoch, ``costUsd`` what the answer cost."""
    outcome = record.outcome
    return {
        **explanation(
            record.decision_id,
            record.plan_version,
            record.decision,
            record.classification,
            record.trial,
            record.other,
        ),
        "time": record.time,
        "signals": signals_to_json(record.signals),
        "failing": sorted(record.health.failing),
        "firstTokenMs": dict(record.health.first_token_ms),
        "outcome": None if outcome is None else outcome.to_json_dict(),
        "costUsd": cost_usd,
        "feedback": [said.to_json_dict() for said in feedback],
    }


def candidates(decision: Decision) -> list[dict[str, Any]]:
    """Each model that the reasons speak of: ``attempt`` is its place among those to be tried,
    counted from 1, or null; ``why`` is every reason that names it."""
    why: dict[str, list[str]] = {model: [] for model in decision.models}
    for reason in decision.reasons:
        if reason.model is not None:
            why.setdefault(reason.model, []).append(reason.text)
    place = {model: number for number, model in enumerate(decision.models, 1)}
    return [
        {"model": model, "attempt": place.get(model), "why": texts} for model, texts in why.items()
    ]
