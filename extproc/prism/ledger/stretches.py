"""Decisions of an hour, and of a day, summed up once: so millions of them stay answerable.

An hour is summed up when it has been over for a while, since outcomes come later than decisions;
a day, once all of its hours are. What comes later still has its hour summed up again (``late``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    Table,
    and_,
    delete,
    func,
    literal,
    select,
    true,
)

from prism.ledger.measures import compared, measures, trial_measures
from prism.ledger.tables import (
    KEYS,
    TRIAL_KEYS,
    days,
    decisions,
    hours,
    summed_up,
    trial_days,
    trial_hours,
)

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
LATE_MS = HOUR_MS
"""How long after its end an hour is summed up."""
_LOCK = 0x7072_736D
"""For PostgreSQL's advisory lock."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Stretches of time, ``length_ms`` long, from midnight UTC on, and their sums in ``table``."""

    name: str
    length_ms: int
    table: Table


@dataclass(frozen=True, slots=True)
class Kind:
    """What is summed up: of decisions that are ``counted``, those together that are alike in
    ``keys``. ``measures`` are the sums, by column."""

    hours: Stretch
    days: Stretch
    keys: tuple[str, ...]
    measures: Callable[[], Mapping[str, ColumnElement[Any]]]
    counted: Callable[[], ColumnElement[bool]]


HOURS, DAYS = Stretch("hour", HOUR_MS, hours), Stretch("day", DAY_MS, days)
EVERY = Kind(HOURS, DAYS, KEYS, measures, true)
"""Every decision."""
TRIALS = Kind(
    Stretch("t-hour", HOUR_MS, trial_hours),
    Stretch("t-day", DAY_MS, trial_days),
    TRIAL_KEYS,
    trial_measures,
    compared,
)
"""Decisions of tables with a candidate, which say what both chose."""
KINDS = (EVERY, TRIALS)


def sum_up(connection: Connection, now_ms: int) -> bool:
    """Sum up the next hour or day that is due; whether there was one. In one transaction, and once
    however many replicas try."""
    if not alone(connection):
        return False
    for kind in KINDS:
        hour, day = _due_hour(connection, kind, now_ms), _due_day(connection, kind)
        for stretch, start in ((kind.hours, hour), (kind.days, day)):
            if start is None:
                continue
            put_sums(connection, kind, stretch, start)
            mark = {"stretch": stretch.name, "start_ms": start}
            connection.execute(summed_up.insert(), mark)
            return True
    return False


def alone(connection: Connection) -> bool:
    """Whether no other replica sums anything up, until the end of this transaction."""
    if connection.dialect.name != "postgresql":
        return True  # it lets one write at a time
    return bool(connection.scalar(select(func.pg_try_advisory_xact_lock(_LOCK))))


def put_sums(connection: Connection, kind: Kind, stretch: Stretch, start_ms: int) -> None:
    """Write the sums of one hour, of decisions, or of one day, of its hours."""
    made = _sums_of_hour if stretch is kind.hours else _sums_of_day
    found = made(kind, start_ms)
    into = stretch.table.insert()
    connection.execute(into.from_select(found.selected_columns.keys(), found))


def summed_until(connection: Connection, stretch: Stretch) -> int:
    """Every decision of before then (milliseconds since the epoch) is in the sums; 0: none is."""
    marks = summed_up.c
    query = select(func.max(marks.start_ms)).where(marks.stretch == stretch.name)
    newest = connection.scalar(query)
    return 0 if newest is None else newest + stretch.length_ms


def forget_sums(connection: Connection, before_ms: int) -> None:
    """Throw away the sums of what ended before then, but never the newest ones."""
    for stretch in (stretch for kind in KINDS for stretch in (kind.hours, kind.days)):
        end = min(before_ms, summed_until(connection, stretch) - 1) - stretch.length_ms
        table, marks = stretch.table, summed_up.c
        connection.execute(delete(table).where(table.c.start_ms <= end))
        old = and_(marks.stretch == stretch.name, marks.start_ms <= end)
        connection.execute(delete(summed_up).where(old))


def _due_hour(connection: Connection, kind: Kind, now_ms: int) -> int | None:
    """The next hour with decisions, counted or not: so the mark goes on."""
    since = summed_until(connection, kind.hours)
    query = select(func.min(decisions.c.time_ms)).where(decisions.c.time_ms >= since)
    oldest = connection.scalar(query)
    if oldest is None:
        return None
    hour: int = oldest - oldest % HOUR_MS
    return hour if hour + HOUR_MS + LATE_MS <= now_ms else None


def _due_day(connection: Connection, kind: Kind) -> int | None:
    """The next day of which an hour after it is summed up: hours go in order, so all of it is."""
    since, until = summed_until(connection, kind.days), summed_until(connection, kind.hours)
    start = kind.hours.table.c.start_ms
    oldest = connection.scalar(select(func.min(start)).where(start >= since))
    if oldest is None:
        return None
    day: int = oldest - oldest % DAY_MS
    return day if day + DAY_MS <= until else None


def _sums_of_hour(kind: Kind, start_ms: int) -> Select[Any]:
    of = decisions.c
    keys = [of[name] for name in kind.keys]
    sums = [column.label(name) for name, column in kind.measures().items()]
    within = and_(of.time_ms >= start_ms, of.time_ms < start_ms + HOUR_MS, kind.counted())
    start = literal(start_ms, BigInteger).label("start_ms")
    return select(start, *keys, *sums).where(within).group_by(*keys)


def _sums_of_day(kind: Kind, start_ms: int) -> Select[Any]:
    of = kind.hours.table.c
    keys = [of[name] for name in kind.keys]
    sums = [column.label(name) for name, column in together(kind, kind.hours.table).items()]
    within = and_(of.start_ms >= start_ms, of.start_ms < start_ms + DAY_MS)
    start = literal(start_ms, BigInteger).label("start_ms")
    return select(start, *keys, *sums).where(within).group_by(*keys)


def together(kind: Kind, table: Table) -> Mapping[str, ColumnElement[Any]]:
    """Each sum over sums that are in ``table`` already."""
    return {
        name: (func.max if name == NEWEST else func.sum)(table.c[name]) for name in kind.measures()
    }


NEWEST = "newest"
"""The one measure that is no sum: an id of a decision, for an example."""
