"""What a ledger throws away: the oldest decisions, by age and by size.

A little at a time, so that new decisions don't wait behind old ones.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, select, text

from prism.ledger.tables import SIZED, decisions, feedback, prompts

AT_ONCE = 2000
"""Decisions deleted in one transaction."""
ROOM = 0.9
"""The share of its bound that a ledger which has grown beyond it is cut down to."""
_SAMPLE = 1000
_OVERHEAD = 150
"""Bytes of a row beyond its values in PostgreSQL: its header and its part of three indexes."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Decisions older than ``age_s`` seconds go; so do the oldest, while all take more than
    ``size`` bytes. ``None``: no such bound."""

    age_s: float | None = None
    size: int | None = None


def oldest_to_keep(connection: Connection, bounds: Bounds, now_s: float) -> int | None:
    """Decisions of before this time (milliseconds since the epoch) are to go; ``None``: none."""
    found = []
    oldest = connection.scalar(select(func.min(decisions.c.time_ms)))
    if oldest is None:
        return None
    if bounds.age_s is not None:
        found.append(round((now_s - bounds.age_s) * 1000))
    if bounds.size is not None and (used := used_bytes(connection)) > bounds.size:
        found.append(_cut(connection, 1 - bounds.size * ROOM / used))
    keep = max(found, default=oldest)
    return keep if keep > oldest else None


def throw_away(connection: Connection, before_ms: int) -> bool:
    """Delete the oldest decisions of before then, with all of theirs; whether some are left."""
    old = select(decisions.c.decision_id).where(decisions.c.time_ms < before_ms)
    ids = list(connection.scalars(old.order_by(decisions.c.time_ms).limit(AT_ONCE)))
    for start in range(0, len(ids), 500):
        piece = ids[start : start + 500]
        for table in reversed(SIZED):
            connection.execute(delete(table).where(table.c.decision_id.in_(piece)))
    # What was said before then was said of something older; its decision may never have come.
    connection.execute(delete(feedback).where(feedback.c.time_ms < before_ms))
    return len(ids) == AT_ONCE


def used_bytes(connection: Connection) -> int:
    """Bytes that the ledger takes: in SQLite those of its file that are in use; in PostgreSQL
    an estimate by the newest rows, since what was deleted is freed when the database likes."""
    if connection.dialect.name == "sqlite":
        pages, free, size = (
            connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)
    rows = connection.scalar(select(func.count()).select_from(decisions)) or 0
    newest = text(
        "SELECT avg(pg_column_size(d.*)) FROM (SELECT * FROM prism_decisions "
        "ORDER BY time_ms DESC LIMIT :most) AS d"
    )
    width = connection.scalar(newest, {"most": _SAMPLE}) or 0
    kept = connection.execute(
        select(func.count(), func.coalesce(func.avg(func.length(prompts.c.kept)), 0))
    ).one()
    return int(rows * (float(width) + _OVERHEAD) + kept[0] * (float(kept[1]) + _OVERHEAD))


def _cut(connection: Connection, share: float) -> int:
    """The time before which ``share`` of the decisions lie."""
    rows = connection.scalar(select(func.count()).select_from(decisions)) or 0
    query = select(decisions.c.time_ms).order_by(decisions.c.time_ms)
    time_ms = connection.scalar(query.offset(min(rows - 1, int(rows * share))).limit(1))
    return (time_ms or 0) + 1
