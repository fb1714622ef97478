"""Connections to a ledger: what each database is told, and how long it may keep silent."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, create_engine, event

from prism.ledger.address import Address

BUSY_S = 5.0
"""How long a writer waits for another one of the same SQLite file."""
SILENT_S = 10
"""How long PostgreSQL may take for a statement or keep silent before it counts as away."""
_STEPS = 200_000
"""Of SQLite's machine, between two looks at the clock: a few milliseconds."""
READING = {"reading": True}
"""Execution options of a transaction that writes nothing."""
_PRAGMAS = (
    "PRAGMA journal_mode=WAL",  # readers and the writer don't wait for each other
    "PRAGMA synchronous=NORMAL",  # a killed process loses nothing; a power cut the last moments
    "PRAGMA journal_size_limit=67108864",
)


def open_engine(address: Address) -> Engine:
    """An engine for ``address``; nothing is connected yet."""
    path = address.path
    arguments: dict[str, Any] = {
        "json_serializer": json_text,
        "json_deserializer": msgspec.json.decode,
    }
    if path is None:
        said = {
            "connect_timeout": "5",
            "tcp_user_timeout": str(SILENT_S * 1000),
            "application_name": "prism",
            "options": f"-c statement_timeout={SILENT_S * 1000} -c lock_timeout={SILENT_S * 1000}",
        }
        options = {**said, **address.url.query}
        return create_engine(
            address.url.set(query={}), connect_args=options, pool_pre_ping=True, **arguments
        )
    engine = create_engine(address.url, connect_args={"timeout": BUSY_S}, **arguments)
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


@contextmanager
def bounded(connection: Connection, within_s: float) -> Iterator[None]:
    """Statements end with an error after ``within_s`` seconds from now in SQLite, and so many
    seconds after each began in PostgreSQL, in ``connection``'s transaction."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {round(within_s * 1000)}")
        yield
        return
    end = time.monotonic() + within_s
    driver: Any = connection.connection.driver_connection
    driver.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
    try:
        yield
    finally:
        driver.set_progress_handler(None, 0)


def json_text(value: Any) -> str:
    """A value for a JSON column. Bytes are UTF-8, and what is no number is null."""
    return msgspec.json.encode(value).decode()


def make_file(path: Path) -> None:
    """An empty file that only its owner can read, unless there is one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def _prepare(connection: Any, _: object) -> None:
    # Transactions are begun below: the driver's own rules would leave migrations outside of one.
    connection.isolation_level = None
    for pragma in _PRAGMAS:
        connection.execute(pragma)


def _begin(connection: Connection) -> None:
    """A transaction that will write says so at once; else it could fail half-way."""
    reading = connection.get_execution_options().get("reading")
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
