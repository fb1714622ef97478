"""What decisions of a stretch of time add up to, by whatever they have in common.

Hours and days that are summed up are read as they are; only what is newer is looked at one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, func, select

from prism.ledger.stretches import DAY_MS, EVERY, HOUR_MS, Kind, summed_until, together
from prism.ledger.tables import KEYS, decisions

NO_PROJECT = ""
"""Asks for decisions that no policy held for."""
TIME = "time"
"""Sums by stretches of time, beside ``stretches.KEYS``."""


@dataclass(frozen=True, slots=True)
class Span:
    """From ``since_ms`` until before ``until_ms``, milliseconds since the epoch. What is older than
    two hours is counted in whole hours of UTC."""

    since_ms: int
    until_ms: int


@dataclass(frozen=True, slots=True)
class Only:
    """Which decisions count; ``None``: any. ``project`` may be ``NO_PROJECT``. ``model`` is the
    one that answered or, where none did, the first that was to be tried."""

    project: str | None = None
    table: str | None = None
    task: str | None = None
    mode: str | None = None
    model: str | None = None

    def conditions(self, table: Table) -> list[ColumnElement[bool]]:
        """The same for ``decisions``, ``hours`` or ``days``."""
        of = table.c
        wanted = {
            of.routing_table: self.table,
            of.task: self.task,
            of.mode: self.mode,
            func.coalesce(of.answered_by, of.model): self.model,
        }
        found = [column == value for column, value in wanted.items() if value is not None]
        if self.project is not None:
            none = self.project == NO_PROJECT
            found.append(of.project.is_(None) if none else of.project == self.project)
        return found


@dataclass(slots=True)
class Sums:
    """As the columns of ``prism_hours``."""

    requests: int = 0
    answered: int = 0
    rejected: int = 0
    failed: int = 0
    refused: int = 0
    degraded: int = 0
    kept_first: int = 0
    priced: int = 0
    timed: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    cost_usd: float = 0.0
    first_byte_ms: float = 0.0

    def add(self, other: Sums) -> None:
        """Count those, too."""
        for name in _NAMES:
            setattr(self, name, getattr(self, name) + getattr(other, name))


_NAMES = tuple(field.name for field in fields(Sums))
_KINDS: Mapping[str, type] = {
    name: float if name in ("cost_usd", "first_byte_ms") else int for name in _NAMES
}
Key = tuple[Any, ...]


def sums(
    connection: Connection,
    span: Span,
    only: Only,
    by: Sequence[str],
    stretch_ms: int = HOUR_MS,
) -> dict[Key, Sums]:
    """The sums for each combination of the values of ``by``, names of ``KEYS`` or ``TIME``, which
    is the beginning of a stretch of ``stretch_ms``: from an hour on, whole hours."""
    found: dict[Key, Sums] = {}
    whole_days = TIME not in by or stretch_ms % DAY_MS == 0
    for table, part in parts(connection, EVERY, span, whole_days):
        of = EVERY.measures() if table is decisions else together(EVERY, table)
        _read(connection, _select(table, of, part, only, by, stretch_ms), found)
    return found


def parts(
    connection: Connection, kind: Kind, span: Span, whole_days: bool
) -> Iterator[tuple[Table, Span]]:
    """Where each part of ``span`` is read: days with the hours around them, then decisions."""
    hours, days = kind.hours.table, kind.days.table
    summed = min(summed_until(connection, kind.hours), span.until_ms)
    since = span.since_ms
    if since < summed:
        since -= since % HOUR_MS
        first = since + -since % DAY_MS
        last = min(summed_until(connection, kind.days), span.until_ms)
        last -= last % DAY_MS
        if whole_days and first < last:
            if since < first:
                yield hours, Span(since, first)
            yield days, Span(first, last)
            since = last
        if since < summed:
            yield hours, Span(since, summed)
            since = summed
    if since < span.until_ms:
        yield decisions, Span(since, span.until_ms)


def _select(
    table: Table,
    of: Mapping[str, ColumnElement[Any]],
    span: Span,
    only: Only,
    by: Sequence[str],
    stretch_ms: int,
) -> Select[Any]:
    time = table.c.time_ms if table is decisions else table.c.start_ms
    keys = {**{name: table.c[name] for name in KEYS}, TIME: time - time % stretch_ms}
    wanted = [keys[name].label(f"key_{name}") for name in by]
    columns = [of[name].label(name) for name in _NAMES]
    query = select(*wanted, *columns).where(time >= span.since_ms, time < span.until_ms)
    return query.where(*only.conditions(table)).group_by(*wanted)


def _read(connection: Connection, query: Select[Any], found: dict[Key, Sums]) -> None:
    """PostgreSQL sums integers to decimals; without groups there is a row of nothing."""
    for row in connection.execute(query):
        values = {name: kind(getattr(row, name) or 0) for name, kind in _KINDS.items()}
        key = tuple(row)[: -len(_KINDS)]
        found.setdefault(key, Sums()).add(Sums(**values))
