"""Sums of decisions: the same whether hours are summed up or not, in both databases."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import func, select
from tests.gateway.running import until
from tests.unit.tables import policy

from prism.ledger.entry import Ended
from prism.ledger.feedback import keep_feedback
from prism.ledger.finding import latest
from prism.ledger.grades import Grades, grades
from prism.ledger.listing import newest
from prism.ledger.retention import Bounds
from prism.ledger.store import Away, Store
from prism.ledger.stretches import DAY_MS, DAYS, HOUR_MS, HOURS, forget_sums, sum_up, summed_until
from prism.ledger.sums import NO_PROJECT, TIME, Only, Span, Sums, sums
from prism.ledger.tables import days, hours
from prism.ledger.tables import summed_up as marks
from prism.ledger.writer import Writer
from prism.routing.feedback import Feedback
from prism.routing.record import Record

from .entries import START_S, decided, ended, write

START_MS = round(START_S * 1000)
EVERYTHING = Span(START_MS - HOUR_MS, START_MS + 10 * HOUR_MS)
ANY = Only()
LATER_MS = START_MS + 6 * HOUR_MS


def five_hours() -> tuple[list[Record], list[Ended]]:
    """A decision every ten minutes of two projects, by turns: the last of four never ended."""
    held = [policy("acme"), policy("search")]
    records = [decided(600 * number, held[number % 2]) for number in range(30)]
    outcomes = [ended(record) for number, record in enumerate(records) if number % 4 < 3]
    for place, change in ((0, {"status": 503}), (1, {"status": 404}), (2, {"model": "large"})):
        outcomes[place] = outcomes[place]._replace(
            outcome=replace(outcomes[place].outcome, **change),
            cost_usd=None if place == 0 else outcomes[place].cost_usd,
        )
    return records, outcomes


def marked(store: Store) -> int:
    """Hours whose decisions are summed up."""
    query = select(func.count()).select_from(marks).where(marks.c.stretch == HOURS.name)
    with store.reading() as connection:
        return connection.scalar(query) or 0


def summed_up(store: Store, now_ms: int = LATER_MS) -> int:
    """Sum up what is due; how many hours that were."""
    before = marked(store)
    while True:
        with store.writing() as connection:
            if not sum_up(connection, now_ms):
                break
    return marked(store) - before


def asked(
    store: Store, *by: str, only: Only = ANY, span: Span = EVERYTHING
) -> dict[tuple[object, ...], Sums]:
    with store.asking(5) as connection:
        return sums(connection, span, only, by)


def test_sums_are_the_same_once_hours_are_summed_up(store: Store) -> None:
    write(store, *five_hours())
    ways = [(), ("project",), ("task", "mode", "model"), (TIME, "answered_by"), ("project", TIME)]
    onlys = [Only(), Only(project="acme"), Only(model="large"), Only(mode="sport")]
    before = [asked(store, *by, only=only) for by in ways for only in onlys]
    assert summed_up(store) == 5
    after = [asked(store, *by, only=only) for by in ways for only in onlys]
    assert [list(map(repr, one.items())) for one in map(_ordered, after)] == [
        list(map(repr, one.items())) for one in map(_ordered, before)
    ]
    with store.reading() as connection:
        assert summed_until(connection, HOURS) == START_MS - START_MS % HOUR_MS + 5 * HOUR_MS
        assert connection.scalar(select(func.count()).select_from(hours)) < 30


def _ordered(found: dict[tuple[object, ...], Sums]) -> dict[tuple[object, ...], Sums]:
    rounded = {key: replace(one, cost_usd=round(one.cost_usd, 9)) for key, one in found.items()}
    return dict(sorted(rounded.items(), key=lambda item: str(item[0])))


@pytest.mark.parametrize("summing", [False, True])
def test_what_is_counted(store: Store, summing: bool) -> None:
    write(store, *five_hours())
    write(store, [decided(60, policy("acme", allowed_models=frozenset()))])
    if summing:
        summed_up(store)
    total = asked(store)[()]
    assert total.requests == 31
    assert (total.answered, total.rejected, total.failed, total.refused) == (21, 1, 1, 1)
    assert total.kept_first == 20  # one was answered by another model
    assert total.priced == 22
    assert total.input_tokens == 22_000
    assert total.cached_input_tokens == 220
    assert total.cost_usd == pytest.approx(22 * 0.0125)
    assert total.timed == 23
    assert total.first_byte_ms == pytest.approx(23 * 320.25)


def test_an_hour_is_summed_up_once_it_is_old_enough(store: Store) -> None:
    write(store, *five_hours())
    first_end = START_MS - START_MS % HOUR_MS + HOUR_MS
    assert summed_up(store, first_end + HOUR_MS - 1) == 0
    assert summed_up(store, first_end + HOUR_MS) == 1
    assert summed_up(store, first_end + HOUR_MS) == 0
    # What comes later, still within the open hours, counts too.
    write(store, [decided(4 * 3600 + 1)])
    assert asked(store)[()].requests == 31


def test_only_whole_hours_are_asked_of_what_is_summed_up(store: Store) -> None:
    write(store, *five_hours())
    summed_up(store)
    within = Span(START_MS + HOUR_MS // 2, START_MS + 10 * HOUR_MS)
    first_hour = START_MS + HOUR_MS // 2 - (START_MS + HOUR_MS // 2) % HOUR_MS
    assert asked(store, span=within) == asked(store, span=replace(within, since_ms=first_hour))


def test_days_are_summed_up_of_their_hours(store: Store) -> None:
    """Three days with an hour missing here and there, asked for from the middle of the first."""
    records = [decided(1800 * number) for number in range(144) if number % 7]
    write(store, records, [ended(record) for record in records[::3]])
    span = Span(START_MS + 5 * HOUR_MS - START_MS % HOUR_MS, START_MS + 80 * HOUR_MS)
    ways: list[tuple[str, ...]] = [(), ("task", "answered_by"), ("project",)]
    before = [_ordered(asked(store, *by, span=span)) for by in ways]
    summed_up(store, START_MS + 100 * HOUR_MS)
    assert [_ordered(asked(store, *by, span=span)) for by in ways] == before
    with store.asking(5) as connection:
        assert summed_until(connection, DAYS) % DAY_MS == 0
        assert connection.scalar(select(func.count(func.distinct(days.c.start_ms)))) == 3
        by_day = sums(connection, span, ANY, (TIME,), DAY_MS)
    assert sum(one.requests for one in by_day.values()) == before[0][()].requests


def test_an_old_decision_is_listed_without_looking_through_all(store: Store) -> None:
    records = [decided(900 * number) for number in range(200)]
    rare = ended(records[3])
    rare = rare._replace(outcome=replace(rare.outcome, model="large"))
    write(store, records, [rare])
    wanted = Only(model="large")
    for _ in range(2):
        with store.asking(5) as connection:
            assert [x.decision_id for x in newest(connection, wanted, 0, 50)] == [
                records[3].decision_id
            ]
            found = newest(connection, ANY, 0, 120)
            assert [x.decision_id for x in found] == [r.decision_id for r in records[:-121:-1]]
            rest = newest(connection, ANY, 0, 120, before=found[-1].decision_id)
            assert [x.decision_id for x in rest] == [r.decision_id for r in records[79::-1]]
        summed_up(store, START_MS + 1000 * HOUR_MS)


def test_decisions_without_a_project_can_be_asked_for(store: Store) -> None:
    one = decided(0)
    free = replace(decided(1), decision=replace(decided(1).decision, project=None))
    write(store, [one, free])
    for _ in range(2):
        assert asked(store, only=Only(project=NO_PROJECT))[()].requests == 1
        assert {key[0] for key in asked(store, "project")} == {None, one.decision.project}
        summed_up(store)


def test_old_sums_go_but_never_the_newest(store: Store) -> None:
    write(store, *five_hours())
    summed_up(store)
    with store.writing() as connection:
        forget_sums(connection, START_MS + 100 * HOUR_MS)
    assert marked(store) == 1
    with store.reading() as connection:
        assert summed_until(connection, HOURS)


def test_the_writer_sums_up(store: Store) -> None:
    write(store, *five_hours())
    writer = Writer(store, Bounds(age_s=86_400.0), clock=lambda: LATER_MS / 1000)
    writer.start()

    until(lambda: marked(store) == 5, "five hours to be summed up")
    writer.close()
    assert asked(store)[()].requests == 30


def test_the_newest_decisions_are_listed(store: Store) -> None:
    records, outcomes = five_hours()
    write(store, records, outcomes)
    with store.asking(5) as connection:
        lines = newest(connection, Only(), 0, 10)
        assert [line.decision_id for line in lines] == [r.decision_id for r in records[:-11:-1]]
        more = newest(connection, Only(), 0, 100, before=lines[-1].decision_id)
        assert [line.decision_id for line in more] == [r.decision_id for r in records[-11::-1]]
        assert lines[0].status == 200
        assert {line.project for line in newest(connection, Only(project="acme"), 0, 50)} == {
            records[0].decision.project
        }
        assert newest(connection, Only(), 0, 10, before="unknown") == []
        assert len(newest(connection, Only(), START_MS + 600_000 * 28, 50)) == 2
        whole = list(latest(connection, Only(), START_S, 3))
        assert [entry.record.decision_id for entry in whole] == [
            line.decision_id for line in lines[:3]
        ]
        assert whole[0].record.outcome == outcomes[-1].outcome


def test_grades_are_summed_up_by_task_and_model(store: Store) -> None:
    records, outcomes = five_hours()
    write(store, records, outcomes)
    said = [
        Feedback(records[4].decision_id, 1.0, "a"),
        Feedback(records[4].decision_id, 0.5, "b"),  # one answer counts once
        Feedback(records[5].decision_id, 0.0),
        Feedback(records[2].decision_id, 1.0),  # another model answered
        Feedback(records[7].decision_id, 1.0),  # nobody has answered yet
        Feedback("unknown", 1.0),
    ]
    with store.writing() as connection:
        for one in said:
            keep_feedback(connection, one, START_S + 7200)
    with store.asking(5) as connection:
        found = grades(connection, EVERYTHING, Only())
        task = str(records[0].decision.task)
        assert found == {
            (task, "medium"): Grades(2, 0.75, 0.5625),
            (task, "large"): Grades(1, 1.0, 1.0),
        }
        assert found[task, "medium"].mean == 0.375
        assert found[task, "medium"].spread == pytest.approx(2 * 0.375**2)
        assert grades(connection, EVERYTHING, Only(project="nobody")) == {}
        assert sum(one.count for one in grades(connection, EVERYTHING, ANY, 2).values()) <= 2


def test_a_question_that_takes_too_long_is_given_up(store: Store) -> None:
    endless = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000) "
        "SELECT count(*) FROM n"
    )
    with pytest.raises(Away), store.asking(0.2) as connection:
        connection.exec_driver_sql(endless)
    with store.asking(5) as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1
