"""What is written is found again, in either database."""

from __future__ import annotations

import stat
from dataclasses import replace

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import select, text
from tests.unit.tables import policy

from prism.ledger.address import Address, BadAddress
from prism.ledger.feedback import keep_feedback
from prism.ledger.finding import find, graded, subject_of
from prism.ledger.store import Away, Refused, Store, WrongVersion
from prism.ledger.tables import decisions, metadata
from prism.ledger.versions import VERSION_TABLE
from prism.routing.attempt import Attempt, Result
from prism.routing.feedback import Feedback, Subject

from .entries import START_S, count, decided, ended, whole, write
from .postgres import Postgres


def test_a_decision_comes_back_whole(store: Store) -> None:
    record = decided()
    write(store, [record], [ended(record)])
    with store.reading() as connection:
        found = find(connection, record.decision_id)
        assert find(connection, "another") is None
    assert found is not None
    assert found.record == whole(record)
    assert found.cost_usd == 0.0125
    assert found.feedback == ()


def test_an_outcome_may_come_later(store: Store) -> None:
    first, second = decided(1), decided(2)
    write(store, [first, second])
    with store.reading() as connection:
        found = find(connection, first.decision_id)
    assert found is not None
    assert found.record == first
    write(store, [], [ended(first, None)])
    with store.reading() as connection:
        found, other = find(connection, first.decision_id), find(connection, second.decision_id)
    assert found is not None
    assert other is not None
    assert (found.record, found.cost_usd) == (whole(first), None)
    assert other.record.outcome is None


def test_a_batch_that_is_written_twice_is_there_once(store: Store) -> None:
    records = [decided(number) for number in range(120)]
    outcomes = [ended(record) for record in records]
    write(store, records[:70], outcomes[:70])
    write(store, records, outcomes)
    assert count(store) == 120


def test_each_attempt_and_the_trace_are_kept(store: Store) -> None:
    record = decided()
    tried = (
        Attempt("small", "birch", Result.FAILED, None, "no headers in time", 3.25, 2000.0),
        Attempt("medium", "acorn", Result.ANSWERED, 200, None, 2003.5, 700.0),
    )
    over = ended(record)
    outcome = replace(over.outcome, attempts=2, tried=tried, trace_id="ab" * 16)
    write(store, [record])
    write(store, [], [over._replace(outcome=outcome)])
    with store.reading() as connection:
        found = find(connection, record.decision_id)
        assert found is not None
        assert found.record.outcome == outcome
        # SQL finds those without: null, not the JSON of null.
        none = select(decisions).where(decisions.c.tried.is_(None))
        assert connection.execute(none).first() is None
    other = decided(1)
    write(store, [other], [ended(other)])
    with store.reading() as connection:
        assert connection.execute(none).one().decision_id == other.decision_id


def test_an_outcome_without_a_decision_says_nothing(store: Store) -> None:
    write(store, [], [ended(decided())])
    assert count(store) == 0


@pytest.mark.parametrize("name", ["nul\x00here", "lone \ud800 surrogate", "x" * 3_000_000])
def test_any_model_name_of_a_client_is_taken(store: Store, name: str) -> None:
    record = decided(model=name)
    write(store, [record])
    with store.reading() as connection:
        found = find(connection, record.decision_id)
    assert found is not None
    kept = found.record.signals.model
    assert len(kept) <= 256
    assert kept[:3] == name[:3]
    assert found.record.decision == record.decision


def test_what_is_asked_for_often_has_columns(store: Store) -> None:
    record = decided(held=policy("acme"))
    write(store, [record], [ended(record)])
    with store.reading() as connection:
        row = connection.execute(select(decisions)).one()
    assert (row.project, row.task, row.mode, row.model) == ("acme", "code", "eco", "medium")
    assert row.time_ms == round(START_S * 1000)
    assert (row.answered_by, row.status, row.input_tokens) == ("medium", 200, 1000)
    assert row.estimate_usd == record.decision.estimate.cost_usd  # type: ignore[union-attr]
    assert "outcome" not in row.record


def test_feedback_meets_its_decision_and_the_last_word_counts(store: Store) -> None:
    record = decided()
    write(store, [record], [ended(record)])
    name = record.decision_id
    with store.writing() as connection:
        keep_feedback(connection, Feedback(name, 1.0, labels={"by": "a"}), START_S)
    with store.writing() as connection:
        keep_feedback(connection, Feedback(name, 0.0, comment="wrong"), START_S + 1)
        keep_feedback(connection, Feedback(name, 0.5, "reviewer"), START_S + 1)
    with store.reading() as connection:
        found = find(connection, name)
        grades = list(graded(connection))
        assert subject_of(connection, name) == Subject("acme", "code", "eco", "medium", None)
        assert subject_of(connection, "another") is None
    assert found is not None
    assert found.feedback == (
        Feedback(name, 0.0, comment="wrong", labels={}),
        Feedback(name, 0.5, "reviewer", labels={}),
    )
    (grade,) = grades
    assert (grade.model, grade.task, grade.score) == ("medium", "code", 0.25)
    assert (grade.cost_usd, grade.total_ms) == (0.0125, 1500.5)


def test_only_answers_count_as_graded(store: Store) -> None:
    records = [decided(number) for number in range(4)]
    write(store, records, [ended(record) for record in records[1:]])
    with store.writing() as connection:
        for record in records[:3]:
            keep_feedback(connection, Feedback(record.decision_id, 1.0), START_S)
    with store.reading() as connection:
        names = [grade.decision_id for grade in graded(connection)]
        later = [grade.decision_id for grade in graded(connection, START_S + 2)]
    assert names == [record.decision_id for record in records[1:3]]
    assert later == names[1:]


def test_the_migrations_make_what_the_tables_say(store: Store) -> None:
    with store.reading() as connection:
        options = {"version_table": VERSION_TABLE, "compare_type": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []


def test_a_ledger_of_a_newer_prism_is_left_alone(store: Store) -> None:
    store.prepare()  # once more changes nothing
    store.check()
    with store.writing() as connection:
        connection.execute(text("UPDATE prism_ledger_version SET version_num = '9999'"))
    with pytest.raises(WrongVersion, match="newer Prism"):
        store.prepare()
    with pytest.raises(WrongVersion, match="version 9999"):
        store.check()


def test_a_value_that_no_column_takes_is_told_from_a_database_that_is_away(
    store: Store, address: Address
) -> None:
    record = decided()
    outcome = replace(ended(record).outcome, input_tokens=2**64)
    with pytest.raises(Refused):
        write(store, [record], [ended(record)._replace(outcome=outcome)])
    assert count(store) == 0


def test_queries_use_the_indexes(store: Store, address: Address) -> None:
    write(store, [decided(number) for number in range(50)])
    queries = {
        "prism_decisions": "decision_id = 'x'",
        "prism_decisions_time": "time_ms < 5",
        "prism_decisions_project_time": "project = 'acme' AND time_ms BETWEEN 5 AND 10",
    }
    sums = ("prism_hours", "prism_days", "prism_trial_hours", "prism_trial_days")
    queries |= {f"{name}_start": "start_ms BETWEEN 5 AND 10" for name in sums}
    sqlite = address.path is not None
    with store.reading() as connection:
        if not sqlite:
            connection.execute(text("SET enable_seqscan = off"))
        for index, where in queries.items():
            how = "EXPLAIN QUERY PLAN" if sqlite else "EXPLAIN"
            table = index.removesuffix("_start") if "start" in where else "prism_decisions"
            query = f"{how} SELECT * FROM {table} WHERE {where}"  # noqa: S608 - no input
            said = str(connection.execute(text(query)).all())
            assert index in said
            assert "SCAN" not in said if sqlite else "Seq Scan" not in said


def test_a_file_is_its_owner_s_alone(tmp_path: object, store: Store, address: Address) -> None:
    if address.path is not None:
        assert stat.S_IMODE(address.path.stat().st_mode) == 0o600


def test_what_is_not_there_is_said_and_not_made(postgres: Postgres, tmp_path: object) -> None:
    nowhere = Address.parse(f"{tmp_path}/none/ledger.db")
    with pytest.raises(Away, match="there is no ledger at"):
        Store(nowhere).check()
    assert nowhere.path is not None
    assert not nowhere.path.parent.exists()
    with pytest.raises(WrongVersion, match="has version None"):
        Store(Address.parse(postgres.url)).check()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("mysql://root:pw-here@db/x", "can't be at 'mysql'"),
        ("postgresql://u:pw-here@db", "names no file or database"),
        ("postgresql://u:pw-here@db:port/x", "no address"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
    ],
)
def test_a_bad_address_is_refused_without_its_password(text: str, says: str) -> None:
    with pytest.raises(BadAddress, match=says) as caught:
        Address.parse(text)
    assert "pw-here" not in str(caught.value)


def test_an_address_is_shown_without_its_password() -> None:
    address = Address.parse("postgres://prism:pw-here@db.example:5432/prism?sslmode=require")
    assert str(address) == "postgresql://prism:***@db.example:5432/prism"
    assert str(Address.parse("sqlite:////var/lib/x.db")) == "/var/lib/x.db"
