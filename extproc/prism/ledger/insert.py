"""Inserts that may meet a row that is there; both databases have them, each by its own name."""

from __future__ import annotations

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def insert(connection: Connection, table: Table) -> sqlite.Insert:
    """An insert that knows ``on_conflict_do_nothing`` and ``on_conflict_do_update``."""
    if connection.dialect.name == "postgresql":
        # The same methods with the same arguments.
        return postgresql.insert(table)  # type: ignore[return-value]
    return sqlite.insert(table)
