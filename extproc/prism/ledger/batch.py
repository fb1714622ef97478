"""Writes a batch: decisions and what came of them, all of it or nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, update

from prism.ledger.entry import Ended, decision_row, outcome_columns
from prism.ledger.insert import insert
from prism.ledger.tables import OUTCOME, decisions
from prism.routing.record import Record

AT_ONCE = 50
"""Rows handed to the driver at a time. While Python makes rows, the requests of this process wait
for the interpreter: so it is done in small pieces."""
_ENDED = (
    update(decisions)
    .where(decisions.c.decision_id == bindparam("of"))
    .values({name: bindparam(name) for name in OUTCOME})
)


def write_batch(
    connection: Connection, records: Collection[Record], ended: Mapping[str, Ended]
) -> None:
    """A decision that is there already is left as it is; an outcome without a decision says
    nothing. ``ended`` is by decision id."""
    statement = insert(connection, decisions)
    statement = statement.on_conflict_do_nothing(index_elements=["decision_id"])
    rows = (decision_row(record, ended.get(record.decision_id)) for record in records)
    for piece in _pieces(rows):
        connection.execute(statement, piece)
    new = {record.decision_id for record in records}
    changes = (
        {"of": one.decision_id, **outcome_columns(one)}
        for one in ended.values()
        if one.decision_id not in new
    )
    for piece in _pieces(changes):
        connection.execute(_ENDED, piece)


def _pieces(rows: Iterable[dict[str, Any]]) -> Iterable[Sequence[dict[str, Any]]]:
    piece: list[dict[str, Any]] = []
    for row in rows:
        piece.append(row)
        if len(piece) == AT_ONCE:
            yield piece
            piece = []
    if piece:
        yield piece
