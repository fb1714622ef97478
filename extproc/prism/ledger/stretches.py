"""Decisions of an hour, and of a day, summed up once: so millions of them stay answerable.

An hour is summed up when it has been over for a while, since outcomes come later than decisions;
a day, once all of its hours are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    Table,
    and_,
    case,
    delete,
    func,
    literal,
    select,
)

from prism.ledger.insert import insert
from prism.ledger.tables import days, decisions, hours, summed_up

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
LATE_MS = HOUR_MS
"""How long after its end an hour is summed up: what comes later is in no sum."""
KEYS = ("project", "routing_table", "task", "mode", "model", "answered_by")
"""What decisions have in common that are summed up together."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A kind of stretches of time, ``length_ms`` long, from midnight UTC on, and their sums."""

    name: str
    length_ms: int
    table: Table


HOURS, DAYS = Stretch("hour", HOUR_MS, hours), Stretch("day", DAY_MS, days)


def measures() -> Mapping[str, ColumnElement[Any]]:
    """Each sum as an aggregate over ``decisions``, by the name of its column."""
    of = decisions.c
    sent, well = of.refusal.is_(None), of.status < 400
    over = and_(of.status.is_(None), of.total_ms.is_not(None))
    priced = of.cost_usd.is_not(None)
    return {
        "requests": func.count(of.time_ms),
        "answered": _count(and_(sent, well)),
        "rejected": _count(and_(sent, of.status.between(400, 499))),
        "failed": _count(and_(sent, (of.status >= 500) | over)),
        "refused": _count(of.refusal.is_not(None)),
        "degraded": _count(of.degraded.is_(True)),
        "kept_first": _count(and_(sent, well, of.answered_by == of.model)),
        "priced": _count(priced),
        "timed": _count(of.first_byte_ms.is_not(None)),
        "input_tokens": _sum(of.input_tokens, priced),
        "output_tokens": _sum(of.output_tokens, priced),
        "cached_input_tokens": _sum(of.cached_input_tokens, priced),
        "cache_write_tokens": _sum(of.cache_write_tokens, priced),
        "cost_usd": func.coalesce(func.sum(of.cost_usd), 0.0),
        "first_byte_ms": func.coalesce(func.sum(of.first_byte_ms), 0.0),
    }


def sum_up(connection: Connection, now_ms: int) -> bool:
    """Sum up the next hour or day that is due; whether there was one. In one transaction, and once
    however many replicas try."""
    for stretch, start in ((HOURS, _due_hour(connection, now_ms)), (DAYS, _due_day(connection))):
        if start is None:
            continue
        mark = insert(connection, summed_up).on_conflict_do_nothing(
            index_elements=["stretch", "start_ms"]
        )
        row = {"stretch": stretch.name, "start_ms": start}
        if connection.execute(mark, row).rowcount:
            found = _sums_of_hour(start) if stretch is HOURS else _sums_of_day(start)
            into = stretch.table.insert()
            connection.execute(into.from_select(found.selected_columns.keys(), found))
        return True
    return False


def summed_until(connection: Connection, stretch: Stretch) -> int:
    """Every decision of before then (milliseconds since the epoch) is in the sums; 0: none is."""
    marks = summed_up.c
    query = select(func.max(marks.start_ms)).where(marks.stretch == stretch.name)
    newest = connection.scalar(query)
    return 0 if newest is None else newest + stretch.length_ms


def forget_sums(connection: Connection, before_ms: int) -> None:
    """Throw away the sums of what ended before then, but never the newest ones."""
    for stretch in (HOURS, DAYS):
        end = min(before_ms, summed_until(connection, stretch) - 1) - stretch.length_ms
        table, marks = stretch.table, summed_up.c
        connection.execute(delete(table).where(table.c.start_ms <= end))
        old = and_(marks.stretch == stretch.name, marks.start_ms <= end)
        connection.execute(delete(summed_up).where(old))


def _due_hour(connection: Connection, now_ms: int) -> int | None:
    since = summed_until(connection, HOURS)
    query = select(func.min(decisions.c.time_ms)).where(decisions.c.time_ms >= since)
    oldest = connection.scalar(query)
    if oldest is None:
        return None
    hour: int = oldest - oldest % HOUR_MS
    return hour if hour + HOUR_MS + LATE_MS <= now_ms else None


def _due_day(connection: Connection) -> int | None:
    """The next day of which an hour after it is summed up: hours go in order, so all of it is."""
    since, until = summed_until(connection, DAYS), summed_until(connection, HOURS)
    query = select(func.min(hours.c.start_ms)).where(hours.c.start_ms >= since)
    oldest = connection.scalar(query)
    if oldest is None:
        return None
    day: int = oldest - oldest % DAY_MS
    return day if day + DAY_MS <= until else None


def _sums_of_hour(start_ms: int) -> Select[Any]:
    of = decisions.c
    keys = [of[name] for name in KEYS]
    sums = [column.label(name) for name, column in measures().items()]
    within = and_(of.time_ms >= start_ms, of.time_ms < start_ms + HOUR_MS)
    start = literal(start_ms, BigInteger).label("start_ms")
    return select(start, *keys, *sums).where(within).group_by(*keys)


def _sums_of_day(start_ms: int) -> Select[Any]:
    of = hours.c
    keys = [of[name] for name in KEYS]
    sums = [func.sum(of[name]).label(name) for name in measures()]
    within = and_(of.start_ms >= start_ms, of.start_ms < start_ms + DAY_MS)
    start = literal(start_ms, BigInteger).label("start_ms")
    return select(start, *keys, *sums).where(within).group_by(*keys)


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


def _sum(column: ColumnElement[Any], condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, column), else_=0)), 0)
