"""Decisions and outcomes of hours that were summed up before they came: these are summed up again.

A stream may last for hours, and a database may be away from one of several replicas. So whoever
writes something that old marks its hour in the same transaction, and the writers' next round makes
the sums of that hour, and of its day, anew.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import Connection, delete, func, select

from prism.ledger.entry import Ended
from prism.ledger.insert import insert
from prism.ledger.stretches import (
    HOUR_MS,
    KINDS,
    LATE_MS,
    Kind,
    Stretch,
    alone,
    put_sums,
    summed_until,
)
from prism.ledger.tables import decisions, summed_up
from prism.routing.record import Record

LATE = "late"
"""The name of such marks, among those of what is summed up."""
_AT_ONCE = 500
_OF_ID = 12
"""Hex digits of an id that are its time, in milliseconds since the epoch."""


def mark_late(
    connection: Connection, records: Collection[Record], ended: Mapping[str, Ended], now_ms: int
) -> None:
    """Mark the hours that ``records`` and the decisions of ``ended`` are of, where those are summed
    up already. To be called in the transaction that writes them, once they are written."""
    oldest = now_ms - LATE_MS
    ids = [record.decision_id for record in records if record.time * 1000 < oldest]
    # An outcome has no time of its own, but ids begin with one.
    new = f"{max(oldest, 0):0{_OF_ID}x}"
    ids += [name for name in ended if name < new]
    if not ids:
        return
    until = max(summed_until(connection, kind.hours) for kind in KINDS)
    time = decisions.c.time_ms
    found: set[int] = set()
    for start in range(0, len(ids), _AT_ONCE):
        query = select(func.distinct(time - time % HOUR_MS)).where(
            decisions.c.decision_id.in_(ids[start : start + _AT_ONCE]), time < until
        )
        found.update(connection.scalars(query))
    for hour in sorted(found):
        # Written though it is there: whoever sums the hour up meanwhile waits for this transaction.
        mark = insert(connection, summed_up).on_conflict_do_update(
            index_elements=["stretch", "start_ms"], set_={"stretch": LATE}
        )
        connection.execute(mark, {"stretch": LATE, "start_ms": hour})


def sum_late(connection: Connection) -> bool:
    """Sum up the oldest hour with a mark, and its day, again; whether there was one. In one
    transaction."""
    if not alone(connection):
        return False
    marks = summed_up.c
    hour = connection.scalar(select(func.min(marks.start_ms)).where(marks.stretch == LATE))
    if hour is None:
        return False
    # Waits for whoever writes it just now: what that wrote is then seen below.
    connection.execute(delete(summed_up).where(marks.stretch == LATE, marks.start_ms == hour))
    for kind in KINDS:
        for stretch in (kind.hours, kind.days):
            start = hour - hour % stretch.length_ms
            if start < summed_until(connection, stretch) and _whole(
                connection, kind, stretch, start
            ):
                connection.execute(delete(stretch.table).where(stretch.table.c.start_ms == start))
                put_sums(connection, kind, stretch, start)
    return True


def _whole(connection: Connection, kind: Kind, stretch: Stretch, start_ms: int) -> bool:
    """Whether all that is in the sums is still there to be summed up: what has grown too large or
    old is thrown away before its sums are."""
    known = stretch.table.c
    summed = select(func.sum(known.requests)).where(known.start_ms == start_ms)
    until_ms = start_ms + stretch.length_ms
    if stretch is kind.hours:
        time = decisions.c.time_ms
        query = select(func.count(time)).where(kind.counted())
    else:
        time = kind.hours.table.c.start_ms
        query = select(func.sum(kind.hours.table.c.requests))
    there = connection.scalar(query.where(time >= start_ms, time < until_ms))
    return (there or 0) >= (connection.scalar(summed) or 0)
