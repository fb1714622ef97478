"""A process that is killed, a full disk, a database that is away: nothing is half written."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest
from sqlalchemy import event, text
from tests.gateway.running import until

from prism.ledger.address import Address
from prism.ledger.finding import find
from prism.ledger.retention import Bounds
from prism.ledger.store import Away, Store
from prism.ledger.writer import Writer

from .entries import count, decided, ended, whole, write
from .postgres import Postgres

ROOT = Path(__file__).parents[2]
UNBOUNDED = Bounds()


@pytest.fixture
def writer(store: Store) -> Iterator[Writer]:
    """Writes to the ledger, and has made its tables."""
    made = Writer(store, UNBOUNDED)
    made.start()
    yield made
    made.close()


def test_a_process_killed_in_the_middle_of_a_batch(address: Address) -> None:
    url = address.url.set(drivername=address.url.drivername.partition("+")[0])
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.ledger.halfway", url.render_as_string(hide_password=False)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"halfway\n"
    child.kill()
    child.wait()
    store = Store(address)
    store.check()
    assert count(store) == 100
    if address.path is not None:
        with store.reading() as connection:
            assert connection.execute(text("PRAGMA integrity_check")).scalar_one() == "ok"
    # Whoever comes next writes on, the killed batch included.
    write(store, [decided(number) for number in range(600)])
    assert count(store) == 600
    store.close()


def test_a_writer_joins_what_it_is_told(store: Store, writer: Writer) -> None:
    first, second = decided(1), decided(2)
    for record in (first, second):
        writer.decided(record)
    writer.ended(first.decision_id, ended(first).outcome, 0.5)
    until(lambda: writer.status()["written"] == 3, "all to be written")
    writer.ended(second.decision_id, ended(second).outcome, None)
    writer.close()
    with store.reading() as connection:
        found, other = find(connection, first.decision_id), find(connection, second.decision_id)
    assert found is not None
    assert other is not None
    assert (found.record, found.cost_usd) == (whole(first), 0.5)
    assert other.record == whole(second)


def test_closing_writes_what_waits(store: Store) -> None:
    writer = Writer(store, UNBOUNDED)
    for number in range(2500):
        writer.decided(decided(number))
    writer.start()
    writer.close(60)
    assert count(store) == 2500
    assert writer.status()["waiting"] == 0


def test_a_full_disk_loses_nothing_that_fits_into_the_queue(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    most = [60]  # pages: SQLite's own "database or disk is full"
    store = Store(Address.file(tmp_path / "ledger.db"))

    @event.listens_for(store._engine, "checkout")
    def _(connection: object, *_: object) -> None:
        connection.execute(f"PRAGMA max_page_count={most[0]}")  # type: ignore[attr-defined]

    writer = Writer(store, UNBOUNDED, most_waiting=3000)
    # Before it starts: a batch of the first few would find room yet.
    for number in range(2000):
        writer.decided(decided(number))
    writer.start()
    until(lambda: writer.status()["trouble"], "the disk to be full")
    assert "full" in writer.status()["trouble"]
    assert count(store) == 0
    # What finds no room is counted, and holds up nobody.
    for number in range(2000, 5000):
        writer.decided(decided(number))
    status = writer.status()
    assert status["waiting"] + status["lost"] + status["written"] == 5000
    most[0] = 2**30
    until(lambda: writer.status()["trouble"] is None, "the ledger to be written again")
    writer.close(60)
    # 1,000 of a batch and 3,000 that wait: all of these are written.
    assert count(store) == writer.status()["written"] == 4000
    assert writer.status()["lost"] == 1000
    said = [record.message for record in caplog.records if record.name == "prism.ledger.writer"]
    assert len(said) == 2
    assert "can't be written" in said[0]
    assert "written again" in said[1]


def test_a_full_disk_of_postgresql_loses_nothing_either(postgres: Postgres) -> None:
    """The server's own error, raised by a trigger as it is by a disk: SQLSTATE 53100."""
    store = Store(Address.parse(postgres.url))
    store.prepare()
    postgres.sql(
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION "
        "'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$; "
        "CREATE TRIGGER full_disk BEFORE INSERT ON prism_decisions "
        "FOR EACH ROW WHEN (NEW.decision_id LIKE '%5') EXECUTE FUNCTION full_disk()"
    )
    writer = Writer(store, UNBOUNDED)
    for number in range(1200):
        writer.decided(decided(number))
    writer.start()
    until(lambda: writer.status()["trouble"], "the disk to be full")
    assert "No space left on device" in writer.status()["trouble"]
    assert count(store) == 0  # of the batch nothing, though some rows of it found room
    postgres.sql("DROP TRIGGER full_disk ON prism_decisions")
    until(lambda: writer.status()["written"] == 1200, "the ledger to be written again")
    writer.close(60)
    assert (count(store), writer.status()["lost"], writer.status()["refused"]) == (1200, 0, 0)


def test_a_minute_s_decisions_wait_for_a_database_that_is_away(postgres: Postgres) -> None:
    """400 requests a second, as the docs say: each a decision and an outcome."""
    minute = 400 * 60
    store = Store(Address.parse(postgres.url))
    store.prepare()
    writer = Writer(store, UNBOUNDED)
    postgres.stop()
    try:
        writer.start()
        for number in range(minute):
            record = decided(number)
            writer.decided(record)
            writer.ended(record.decision_id, ended(record).outcome, 0.5)
        until(lambda: writer.status()["trouble"], "the writer to notice")
        assert writer.status()["waiting"] == 2 * minute
    finally:
        postgres.start()
    until(lambda: writer.status()["written"] == 2 * minute, "all to be written")
    writer.close(60)
    assert writer.status()["lost"] == 0
    found = postgres.sql("SELECT count(*), count(status) FROM prism_decisions")
    assert found == f"{minute}|{minute}"


def test_a_database_that_goes_away_and_comes_back(postgres: Postgres) -> None:
    store = Store(Address.parse(postgres.url))
    writer = Writer(store, UNBOUNDED)
    writer.start()
    first = decided(0)
    writer.decided(first)
    until(lambda: writer.status()["written"] == 1, "the first to be written")
    postgres.stop()
    try:
        for number in range(1, 1500):
            writer.decided(decided(number))
        writer.ended(first.decision_id, ended(first).outcome, 0.5)
        until(lambda: writer.status()["trouble"], "the writer to notice")
        with pytest.raises(Away):
            count(store)
    finally:
        postgres.start()
    until(lambda: writer.status()["written"] == 1501, "all to be written")
    assert writer.status()["trouble"] is None
    assert (count(store), writer.status()["lost"]) == (1500, 0)
    with store.reading() as connection:
        found = find(connection, first.decision_id)
    assert found is not None
    assert found.record == whole(first)
    writer.close()


def test_a_server_starts_while_its_database_is_away(postgres: Postgres) -> None:
    postgres.stop()
    writer = Writer(Store(Address.parse(postgres.url)), UNBOUNDED)
    try:
        writer.start()
        writer.decided(decided())
        until(lambda: writer.status()["trouble"], "the writer to notice")
    finally:
        postgres.start()
    until(lambda: writer.status()["written"] == 1, "the decision to be written")
    writer.close()


def test_two_replicas_write_to_one_ledger(address: Address) -> None:
    stores = [Store(address), Store(address)]
    writers = [Writer(store, UNBOUNDED) for store in stores]
    shared = decided(0)
    for half, writer in enumerate(writers):
        writer.decided(shared)
        for number in range(1, 1001):
            writer.decided(decided(number * 2 + half))
    # Both find no tables and make them.
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.close(60)
        assert writer.status()["trouble"] is None
        assert writer.status()["written"] == 1001
    store = Store(address)
    assert count(store) == 2001
    store.close()


def test_many_processes_make_one_ledger(address: Address) -> None:
    stores = [Store(address) for _ in range(6)]
    problems: list[Exception] = []

    def prepare(store: Store) -> None:
        try:
            store.prepare()
        except Exception as error:
            problems.append(error)

    threads = [Thread(target=prepare, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    for store in stores:
        store.check()
        store.close()


def test_one_bad_decision_keeps_no_other_out(store: Store, writer: Writer) -> None:
    records = [decided(number) for number in range(200)]
    bad = replace(ended(records[7]).outcome, input_tokens=2**64)
    for record in records:
        writer.decided(record)
    writer.ended(records[7].decision_id, bad, None)
    until(lambda: writer.status()["refused"], "it to be refused")
    until(lambda: writer.status()["written"] == 199, "the others to be written")
    assert count(store) == 199
    assert writer.status()["trouble"] is None


def test_no_table_is_made_twice_when_tables_vanish(postgres: Postgres) -> None:
    writer = Writer(Store(Address.parse(postgres.url)), UNBOUNDED)
    writer.start()
    writer.decided(decided(0))
    until(lambda: writer.status()["written"] == 1, "the first to be written")
    postgres.empty()
    writer.decided(decided(1))
    until(lambda: writer.status()["written"] == 2, "the second to be written")
    writer.close()
    assert postgres.sql("SELECT count(*) FROM prism_decisions") == "1"
