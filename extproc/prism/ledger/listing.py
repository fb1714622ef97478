"""Decisions as lines of a list, the newest first."""

from __future__ import annotations

from dataclasses import dataclass, fields

from sqlalchemy import Connection, select

from prism.ledger.stretches import HOUR_MS, HOURS, summed_until
from prism.ledger.sums import Only
from prism.ledger.tables import decisions, hours


@dataclass(frozen=True, slots=True)
class Line:
    """What a list says of a decision; as the columns of ``prism_decisions``."""

    decision_id: str
    time_ms: int
    project: str | None
    task: str
    mode: str
    confidence: float | None
    degraded: bool
    raced: bool
    model: str | None
    refusal: str | None
    status: int | None
    answered_by: str | None
    provider: str | None
    attempts: int | None
    cost_usd: float | None
    first_byte_ms: float | None
    total_ms: float | None
    candidate_applied: bool | None
    other_model: str | None


LINE_COLUMNS = tuple(field.name for field in fields(Line))
"""The columns of ``prism_decisions`` that make a line, in the order of its members."""


def newest(
    connection: Connection, only: Only, since_ms: int, limit: int, before: str | None = None
) -> list[Line]:
    """Decisions made since then (milliseconds since the epoch); ``before``, a decision's id, begins
    after that one. Hours that have none of them are not looked through: their sums say so."""
    until_ms = None
    if before is not None:
        of = decisions.c
        until_ms = connection.scalar(select(of.time_ms).where(of.decision_id == before))
        if until_ms is None:
            return []
    edge = summed_until(connection, HOURS)
    found = _lines(connection, only, max(since_ms, edge), until_ms, before, limit)
    for start in _hours_with(connection, only, since_ms, until_ms, edge, limit - len(found)):
        if len(found) >= limit:
            break
        since, end = max(start, since_ms), start + HOUR_MS - 1
        until = end if until_ms is None else min(end, until_ms)
        found += _lines(connection, only, since, until, before, limit - len(found))
    return found


def _hours_with(
    connection: Connection,
    only: Only,
    since_ms: int,
    until_ms: int | None,
    edge: int,
    wanted: int,
) -> list[int]:
    """The newest summed hours that have such decisions, the newest first, and enough of them."""
    start = hours.c.start_ms
    query = select(start).distinct().where(start > since_ms - HOUR_MS, start < edge)
    if until_ms is not None:
        query = query.where(start <= until_ms)
    query = query.where(*only.conditions(hours)).order_by(start.desc())
    # The first may lie at an edge, where not all of it counts.
    return list(connection.scalars(query.limit(max(wanted, 0) + 2)))


def _lines(
    connection: Connection,
    only: Only,
    since_ms: int,
    until_ms: int | None,
    before: str | None,
    limit: int,
) -> list[Line]:
    """Those from ``since_ms`` until ``until_ms`` that were made before ``before``."""
    of = decisions.c
    query = select(*(of[name] for name in LINE_COLUMNS)).where(of.time_ms >= since_ms)
    if until_ms is not None:
        query = query.where(of.time_ms <= until_ms)
    if before is not None:
        query = query.where(of.decision_id < before)
    query = query.where(*only.conditions(decisions)).limit(limit)
    query = query.order_by(of.time_ms.desc(), of.decision_id.desc())
    return [Line(*row) for row in connection.execute(query)]
