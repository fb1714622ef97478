"""What is thrown away: the oldest, by age and by size, with its feedback."""

from __future__ import annotations

from sqlalchemy import func, select
from tests.gateway.running import until

from prism.ledger.feedback import keep_feedback
from prism.ledger.retention import AT_ONCE, Bounds, oldest_to_keep, throw_away, used_bytes
from prism.ledger.store import Store
from prism.ledger.tables import decisions, feedback
from prism.ledger.writer import Writer
from prism.routing.feedback import Feedback

from .entries import START_S, count, decided, write

HOUR = 3600.0


def cleaned(store: Store, bounds: Bounds, now_s: float) -> int:
    """Throw away until nothing is beyond ``bounds``; how many steps that took."""
    steps = 0
    more = True
    while more:
        with store.reading() as connection:
            oldest = oldest_to_keep(connection, bounds, now_s)
        more = False
        if oldest is not None:
            with store.writing() as connection:
                more = throw_away(connection, oldest)
            steps += 1
    return steps


def test_old_decisions_go_with_their_feedback(store: Store) -> None:
    records = [decided(number) for number in range(100)]
    write(store, records)
    with store.writing() as connection:
        for record in records[::10]:
            keep_feedback(connection, Feedback(record.decision_id, 1.0), START_S + 500)
    cleaned(store, Bounds(age_s=HOUR), START_S + HOUR + 39.5)
    with store.reading() as connection:
        kept = list(connection.scalars(select(decisions.c.time_ms).order_by(decisions.c.time_ms)))
        said = connection.scalar(select(func.count()).select_from(feedback))
    assert kept == [round((START_S + number) * 1000) for number in range(40, 100)]
    assert said == 6


def test_a_ledger_within_its_bounds_is_left_alone(store: Store) -> None:
    assert cleaned(store, Bounds(HOUR, 10), START_S) == 0  # an empty one, too
    write(store, [decided(number) for number in range(10)])
    assert cleaned(store, Bounds(HOUR, 10**9), START_S + 20) == 0
    assert cleaned(store, Bounds(), START_S * 2) == 0
    assert count(store) == 10


def test_the_oldest_go_while_all_take_too_much(store: Store) -> None:
    write(store, [decided(number) for number in range(6000)])
    with store.reading() as connection:
        before = used_bytes(connection)
    assert 500 * 6000 < before < 5000 * 6000
    bound = before // 2
    assert cleaned(store, Bounds(size=bound), START_S) > 1
    with store.reading() as connection:
        assert bound * 0.8 < used_bytes(connection) <= bound
        oldest = connection.scalar(select(func.min(decisions.c.time_ms))) or 0
    left = count(store)
    assert 2000 < left < 3000
    assert oldest == round((START_S + 6000 - left) * 1000)


def test_decisions_of_one_moment_can_go_too(store: Store) -> None:
    same = [decided(0)]
    write(store, same)
    with store.reading() as connection:
        oldest = oldest_to_keep(connection, Bounds(size=1), START_S)
    assert oldest is not None
    with store.writing() as connection:
        assert not throw_away(connection, oldest)
    assert count(store) == 0


def test_the_writer_cleans_in_small_steps(store: Store) -> None:
    write(store, [decided(number) for number in range(AT_ONCE + 500)])
    writer = Writer(store, Bounds(age_s=HOUR), clock=lambda: START_S + HOUR + AT_ONCE + 500)
    writer.start()
    writer.decided(decided(AT_ONCE + 600))
    until(lambda: count(store) == 1, "all old ones to go and the new one to be there")
    writer.close()
