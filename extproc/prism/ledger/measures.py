"""What is summed up of decisions that are alike: each sum as an aggregate over ``decisions``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func

from prism.ledger.tables import decisions

_FAILED = 500


def measures() -> Mapping[str, ColumnElement[Any]]:
    """Of every decision, by the columns of ``prism_hours``."""
    of = decisions.c
    sent, well = of.refusal.is_(None), of.status < 400
    return {
        "requests": func.count(of.time_ms),
        "answered": _count(and_(sent, well)),
        "rejected": _count(and_(sent, of.status.between(400, 499))),
        "failed": _count(and_(sent, _failed())),
        "refused": _count(of.refusal.is_not(None)),
        "degraded": _count(of.degraded.is_(True)),
        "kept_first": _count(and_(sent, well, of.answered_by == of.model)),
        "priced": _count(of.cost_usd.is_not(None)),
        "timed": _count(of.first_byte_ms.is_not(None)),
        **_tokens(),
        "cost_usd": _sum(of.cost_usd),
        "first_byte_ms": _sum(of.first_byte_ms),
    }


def trial_measures() -> Mapping[str, ColumnElement[Any]]:
    """Of decisions whose table has a candidate, by the columns of ``prism_trial_hours``."""
    of = decisions.c
    priced = of.cost_usd.is_not(None)
    graded = of.quality.is_not(None) & of.other_quality.is_not(None)
    return {
        "requests": func.count(of.time_ms),
        "failed": _count(_failed()),
        "priced": _count(priced),
        "timed": _count(of.total_ms.is_not(None)),
        "graded": _count(graded),
        **_tokens(),
        "cost_usd": _sum(of.cost_usd),
        "other_estimate_usd": _sum(of.other_estimate_usd, priced),
        "total_ms": _sum(of.total_ms),
        "quality": _sum(of.quality, graded),
        "other_quality": _sum(of.other_quality, graded),
        "newest": func.max(of.decision_id),
    }


def compared() -> ColumnElement[bool]:
    """Whether a decision has the other table's beside it: that can fail, which costs no record."""
    of = decisions.c
    said = of.quality.is_not(None) | of.other_quality.is_not(None) | of.model.is_(None)
    return of.candidate_of.is_not(None) & said


def _tokens() -> Mapping[str, ColumnElement[int]]:
    """Of priced answers: so money can be worked out of them."""
    of = decisions.c
    names = ("input_tokens", "output_tokens", "cached_input_tokens", "cache_write_tokens")
    return {name: _sum(of[name], of.cost_usd.is_not(None), 0) for name in names}


def _failed() -> ColumnElement[bool]:
    """An error of the provider's side, or no answer at all."""
    of = decisions.c
    return (of.status >= _FAILED) | and_(of.status.is_(None), of.total_ms.is_not(None))


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


def _sum(
    column: ColumnElement[Any], where: ColumnElement[bool] | None = None, nothing: float = 0.0
) -> ColumnElement[Any]:
    wanted = column if where is None else case((where, column), else_=nothing)
    return func.coalesce(func.sum(wanted), nothing)
