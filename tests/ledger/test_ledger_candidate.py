"""What the ledger keeps of a table's candidate, and ledgers of before there were any."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import func, select, text
from tests.unit.test_decide_candidate import plan, tried

from prism.ledger.batch import write_batch
from prism.ledger.feedback import keep_feedback
from prism.ledger.finding import find
from prism.ledger.store import Store
from prism.ledger.stretches import HOUR_MS, sum_up
from prism.ledger.sums import Only, Span
from prism.ledger.tables import CANDIDATE, decisions, trial_days
from prism.ledger.trials import Chosen, Pair, TrialSums, trial_grades, trials
from prism.routing.feedback import Feedback

from .entries import START_S, decided, ended, whole, write


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
        for name in ("prism_prompts", "prism_trial_hours", "prism_trial_days"):
            connection.execute(text(f"DROP TABLE {name}"))
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


def test_sums_of_trials_are_the_same_once_hours_are_summed_up(store: Store) -> None:
    """Of a shadow and a canary over three days, each read as decisions and as sums."""
    records = []
    for number in range(150):
        record = tried(plan((0, 100)[number % 2]))
        records.append(
            replace(
                record,
                decision_id=f"{round((START_S + 1800 * number) * 1000):012x}{number:016x}",
                time=START_S + 1800 * number,
            )
        )
    write(store, [*records, decided(60)], [ended(record) for record in records[::3]])
    span = Span(round(START_S * 1000) - HOUR_MS, round(START_S * 1000) + 76 * HOUR_MS)
    ways = [Only(), Only(table="main"), Only(model="small"), Only(mode="sport"), Only(project="")]
    before = [_trials(store, span, only) for only in ways]
    found = before[0][Pair("main", "next", "7")]
    assert sum(sums.requests for sums in found.values()) == 150
    assert {chosen.applied for chosen in found} == {False, True}
    assert sum(sums.priced for sums in found.values()) == 50
    assert max(sums.newest for sums in found.values()) == records[-1].decision_id
    assert (before[1], before[3]) == (before[0], {})
    due = True
    while due:
        with store.writing() as connection:
            due = sum_up(connection, round((START_S + 200 * 3600) * 1000))
    assert [_trials(store, span, only) for only in ways] == before
    with store.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(trial_days)) > 0


def _trials(store: Store, span: Span, only: Only) -> dict[Pair, dict[Chosen, TrialSums]]:
    """Rounded, since sums of the same numbers in another order differ a little."""
    with store.asking(60) as connection:
        found = trials(connection, span, only)
    return {
        pair: {
            chosen: TrialSums(
                **{
                    name: round(value, 6) if isinstance(value, float) else value
                    for name, value in asdict(sums).items()
                }
            )
            for chosen, sums in of.items()
        }
        for pair, of in found.items()
    }


def test_what_could_not_be_compared_is_in_no_sum(store: Store) -> None:
    write(store, [replace(tried(plan(0)), other=None)])
    with store.asking(60) as connection:
        assert trials(connection, Span(-1, 2**50), Only()) == {}


def test_feedback_is_told_apart_by_who_decided(store: Store) -> None:
    pair = Pair("main", "next", "7")
    with store.writing() as connection:
        for number, percent in enumerate((0, 0, 100)):
            record = replace(tried(plan(percent)), decision_id=f"d{number}")
            write_batch(connection, [record], {f"d{number}": ended(record)})
            keep_feedback(connection, Feedback(f"d{number}", number / 2), 1.0)
        write_batch(connection, [decided(1)], {})
        keep_feedback(connection, Feedback(decided(1).decision_id, 1.0), 1.0)
    with store.asking(60) as connection:
        found = trial_grades(connection, Span(-1, 2**50), Only(), pair)
        none = trial_grades(connection, Span(-1, 2**50), Only(), replace(pair, generation="8"))
    task = str(tried(plan(0)).decision.task)
    assert {key: (one.count, one.mean) for key, one in found.items()} == {
        (task, False): (2, 0.25),
        (task, True): (1, 1.0),
    }
    assert none == {}
