"""What comes after its hour was summed up is in the sums all the same, in both databases."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import delete, func, select
from tests.gateway.running import until

from prism.ledger.late import LATE, mark_late, sum_late
from prism.ledger.retention import Bounds
from prism.ledger.store import Store
from prism.ledger.stretches import HOUR_MS
from prism.ledger.sums import Span
from prism.ledger.tables import days, decisions, summed_up
from prism.ledger.writer import Writer

from .entries import decided, ended, write
from .test_ledger_sums import START_MS, asked
from .test_ledger_sums import summed_up as sum_all_up

LATER_MS = START_MS + 100 * HOUR_MS
OF_WHOLE_DAYS = 116
"""Of the decisions of ``three_days``: the last day is not over."""
SPAN = Span(START_MS - HOUR_MS, START_MS + 90 * HOUR_MS)


def marks(store: Store) -> int:
    query = select(func.count()).select_from(summed_up).where(summed_up.c.stretch == LATE)
    with store.reading() as connection:
        return connection.scalar(query) or 0


def again(store: Store) -> int:
    """Sum up what is late; how many hours that were."""
    done = 0
    while True:
        with store.writing() as connection:
            if not sum_late(connection):
                return done
            done += 1


def three_days(store: Store) -> None:
    """A decision every half hour, none of them over; all summed up."""
    write(store, [decided(1800 * number) for number in range(144)])
    sum_all_up(store, LATER_MS)


def test_late_outcomes_are_in_the_sums_of_their_hour_and_day(store: Store) -> None:
    three_days(store)
    late = [ended(decided(1800 * number)) for number in (2, 3, 60)]
    write(store, [], late)
    with store.writing() as connection:
        mark_late(connection, [], {one.decision_id: one for one in late}, LATER_MS)
    assert asked(store, span=SPAN)[()].answered == 0
    assert 2 <= marks(store) == again(store) <= 3
    assert marks(store) == again(store) == 0
    found = asked(store, span=SPAN)[()]
    assert (found.requests, found.answered, found.input_tokens) == (144, 3, 3000)
    with store.reading() as connection:
        assert connection.scalar(select(func.sum(days.c.answered))) == 3
        assert connection.scalar(select(func.sum(days.c.requests))) == OF_WHOLE_DAYS


def test_a_late_decision_is_in_the_sums_though_its_hour_had_none(store: Store) -> None:
    write(store, [decided(), decided(5 * 3600)])
    sum_all_up(store, LATER_MS)
    late = decided(2 * 3600)
    write(store, [late])
    with store.writing() as connection:
        mark_late(connection, [late], {}, LATER_MS)
    assert again(store) == 1
    assert asked(store, span=SPAN)[()].requests == 3


def test_what_is_not_late_has_no_mark(store: Store) -> None:
    three_days(store)
    known = {one.decision_id: one for one in [ended(decided(1800))]}
    with store.writing() as connection:
        mark_late(connection, [decided(1800)], known, START_MS + HOUR_MS // 2)  # by its own time
        mark_late(connection, [decided(91 * 3600)], {}, START_MS + 200 * HOUR_MS)  # not summed up
        other = replace(decided(1800), decision_id="unknown")
        mark_late(connection, [other], {"no id": known[decided(1800).decision_id]}, LATER_MS)
    assert marks(store) == 0


def test_sums_of_what_was_thrown_away_stay(store: Store) -> None:
    """By size the oldest decisions go, and their sums do not."""
    three_days(store)
    until_ms = START_MS + 10 * HOUR_MS + 60_000
    with store.writing() as connection:
        connection.execute(delete(decisions).where(decisions.c.time_ms < until_ms))
    number = next(n for n in range(144) if START_MS + n * 1_800_000 >= until_ms)
    if (START_MS + number * 1_800_000) % HOUR_MS >= HOUR_MS // 2:
        first = decided(1800 * number)  # of an hour whose other half is gone
    else:
        first = decided(1800 * (number + 1))
    late = {first.decision_id: ended(first)}
    write(store, [], [*late.values()])
    with store.writing() as connection:
        mark_late(connection, [], late, LATER_MS)
    again(store)
    assert asked(store, span=SPAN)[()].requests == 144
    with store.reading() as connection:
        assert connection.scalar(select(func.sum(days.c.requests))) == OF_WHOLE_DAYS


def test_two_replicas_sum_up_each_hour_once(store: Store) -> None:
    three_days(store)
    late = {one.decision_id: one for one in [ended(decided(1800 * n)) for n in range(0, 144, 5)]}
    halves = [[*late.items()][::2], [*late.items()][1::2]]
    writers = [Writer(Store(store.address), Bounds(), lambda: LATER_MS / 1000) for _ in halves]
    for writer, half in zip(writers, halves, strict=True):
        for name, one in half:
            writer.ended(name, one.outcome, one.cost_usd)
        writer.start()
    for writer, half in zip(writers, halves, strict=True):
        count = len(half)
        until(lambda w=writer, n=count: w.status()["written"] == n, "outcomes to be written")
        writer.close(60)
    again(store)
    found = asked(store, span=SPAN)[()]
    assert (found.requests, found.answered) == (144, len(late))
    with store.reading() as connection:
        in_days = connection.scalar(select(func.sum(days.c.answered)))
        assert in_days == len([n for n in range(0, 144, 5) if n < OF_WHOLE_DAYS])


def test_the_writer_does_it_by_itself(store: Store) -> None:
    three_days(store)
    one = ended(decided(3600))
    now = [LATER_MS / 1000]
    writer = Writer(store, Bounds(), clock=lambda: now[0])
    writer.ended(one.decision_id, one.outcome, one.cost_usd)
    writer.start()

    def counted() -> bool:
        now[0] += 60  # the next time to look for what is to be summed up
        return asked(store, span=SPAN)[()].answered == 1

    until(counted, "the late outcome to be in the sums")
    writer.close(60)
