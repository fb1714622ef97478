"""A ledger in each of its databases, both real."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from prism.ledger.address import Address
from prism.ledger.store import Store

from .postgres import Postgres


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    made = Postgres()
    yield made
    made.close()


@pytest.fixture
def postgres(server: Postgres) -> Postgres:
    """A PostgreSQL server with an empty database."""
    server.empty()
    return server


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Address:
    """Where nothing is yet: a file, then a database."""
    if request.param == "sqlite":
        return Address.file(tmp_path / "ledger.db")
    server: Postgres = request.getfixturevalue("postgres")
    return Address.parse(server.url)


@pytest.fixture
def store(address: Address) -> Iterator[Store]:
    """An empty ledger."""
    made = Store(address)
    made.prepare()
    yield made
    made.close()
