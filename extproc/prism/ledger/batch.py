"""Writes a batch: decisions and what came of them, all of it or nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Dialect, Insert, Update, bindparam, update

from prism.ledger.engine import json_text
from prism.ledger.entry import Ended, decision_row, outcome_columns
from prism.ledger.insert import insert
from prism.ledger.tables import OUTCOME, decisions
from prism.routing.record import Record

AT_ONCE = 50
"""Rows handed to the driver at a time. While Python makes rows, the requests of this process wait
for the interpreter: so it is done in small pieces."""
_MOST_VALUES = 999
"""Values of one statement: SQLite took no more before version 3.32."""
_JSON = ("record", "tried")
"""Columns whose values the driver must be given as text."""


def write_batch(
    connection: Connection, records: Collection[Record], ended: Mapping[str, Ended]
) -> None:
    """A decision that is there already is left as it is; an outcome without a decision says
    nothing. ``ended`` is by decision id."""
    to_insert, to_update = _statements(connection)
    to_insert.run(
        connection, (decision_row(record, ended.get(record.decision_id)) for record in records)
    )
    new = {record.decision_id for record in records}
    to_update.run(
        connection,
        (
            {"of": one.decision_id, **outcome_columns(one)}
            for one in ended.values()
            if one.decision_id not in new
        ),
    )


class _Statement:
    """A statement as the driver takes it. SQLAlchemy writes its text, once: looking at each value
    of each row, it takes longer than the database does."""

    def __init__(self, statement: Insert | Update, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        self._text = str(compiled)
        # The order of values, where the driver knows them by their places.
        self._order: Sequence[str] | None = compiled.positiontup
        self._row, self._at_once = "", AT_ONCE
        if isinstance(statement, Insert) and self._order is not None:
            self._row = f"({', '.join('?' * len(self._order))})"
            self._at_once = min(AT_ONCE, _MOST_VALUES // len(self._order))

    def run(self, connection: Connection, rows: Iterable[dict[str, Any]]) -> None:
        """Run it for each of the rows."""
        for piece in _pieces(map(self._values, rows), self._at_once):
            if self._row:
                # One statement for all: sqlite3 lets go of the interpreter once, not for each row.
                text = self._text.replace(self._row, ", ".join([self._row] * len(piece)), 1)
                connection.exec_driver_sql(text, tuple(chain.from_iterable(piece)))
            else:
                connection.exec_driver_sql(self._text, piece)

    def _values(self, row: dict[str, Any]) -> Any:
        for name in _JSON:
            if row.get(name) is not None:
                row[name] = json_text(row[name])
        return row if self._order is None else tuple(map(row.__getitem__, self._order))


_made: dict[str, tuple[_Statement, _Statement]] = {}
"""By the name of the dialect: one that inserts decisions, and one that puts outcomes to them."""


def _statements(connection: Connection) -> tuple[_Statement, _Statement]:
    dialect = connection.dialect
    if dialect.name not in _made:
        decided = insert(connection, decisions)
        _made[dialect.name] = (
            _Statement(
                decided.on_conflict_do_nothing(index_elements=["decision_id"]),
                dialect,
            ),
            _Statement(
                update(decisions)
                .where(decisions.c.decision_id == bindparam("of"))
                .values({name: bindparam(name) for name in OUTCOME}),
                dialect,
            ),
        )
    return _made[dialect.name]


def _pieces(rows: Iterable[Any], size: int) -> Iterable[list[Any]]:
    piece: list[Any] = []
    for row in rows:
        piece.append(row)
        if len(piece) == size:
            yield piece
            piece = []
    if piece:
        yield piece
