"""What the ledger keeps of a table's candidate, and ledgers of before there were any."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select, text
from tests.unit.test_decide_candidate import plan, tried

from prism.ledger.finding import find
from prism.ledger.store import Store
from prism.ledger.tables import CANDIDATE, decisions

from .entries import decided, ended, whole, write


def columns(store: Store) -> dict[str, Any]:
    with store.reading() as connection:
        (row,) = connection.execute(select(*[decisions.c[name] for name in CANDIDATE]))
        return dict(row._mapping)


def test_both_choices_have_columns(store: Store) -> None:
    record = tried(plan(0))
    write(store, [record], [])
    assert record.other is not None
    assert record.other.decision.estimate is not None
    assert columns(store) == {
        "candidate_table": "next",
        "candidate_generation": "7",
        "candidate_of": "main",
        "candidate_applied": False,
        "quality": 0.75,
        "other_model": "small",
        "other_estimate_usd": record.other.decision.estimate.cost_usd,
        "other_quality": 0.6,
    }
    with store.reading() as connection:
        found = find(connection, record.decision_id)
    assert found is not None
    assert found.record == record


def test_without_a_candidate_they_are_null(store: Store) -> None:
    write(store, [decided()], [])
    assert set(columns(store).values()) == {None}


def test_a_ledger_of_before_is_brought_up_to_date_with_all_that_is_in_it(store: Store) -> None:
    record = decided()
    write(store, [record], [ended(record)])
    with store.writing() as connection:
        # What came later goes, too.
        connection.execute(text("DROP TABLE prism_prompts"))
        for name in (*CANDIDATE, "trace_id", "tried"):
            connection.execute(text(f"ALTER TABLE prism_decisions DROP COLUMN {name}"))
        connection.execute(text("UPDATE prism_ledger_version SET version_num = '0003'"))
    store.prepare()
    store.check()
    with store.reading() as connection:
        found = find(connection, record.decision_id)
    assert found is not None
    assert found.record == whole(record)
    later = tried(plan(100))
    write(store, [later], [])
    with store.reading() as connection:
        assert find(connection, later.decision_id) is not None
