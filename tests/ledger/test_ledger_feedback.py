"""Feedback from the gateway into a real ledger: whose it is, how often, and when it is away."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from tests.unit.clock import Clock

from prism.exchange.feedback import Kept
from prism.exchange.steps import Submit
from prism.ledger.address import Address
from prism.ledger.finding import find
from prism.ledger.store import Store
from prism.routing.feedback import Feedback, Subject
from prism.serve.feedback import BURST, MOST_PENDING, PER_SECOND, Allowance, Submissions
from prism.serve.recent import Recent

from .entries import decided, ended, write
from .postgres import Postgres


def said(store: Store, decision_id: str) -> tuple[Feedback, ...]:
    with store.reading() as connection:
        found = find(connection, decision_id)
    return () if found is None else found.feedback


async def test_only_a_project_s_own_decisions(store: Store) -> None:
    record = decided()
    write(store, [record])
    submissions = Submissions(store, Recent())
    own = Feedback(record.decision_id, 1.0, labels={})
    assert await submissions.submit(Submit(own, "other")) is Kept.UNKNOWN
    assert await submissions.submit(Submit(own, None)) is Kept.UNKNOWN
    nothing = replace(own, decision_id="nothing")
    assert await submissions.submit(Submit(nothing, "acme")) is Kept.UNKNOWN
    assert said(store, record.decision_id) == ()
    for _ in range(2):
        assert await submissions.submit(Submit(own, "acme")) is Kept.KEPT
    assert said(store, record.decision_id) == (own,)
    submissions.close()


async def test_a_decision_that_is_not_written_yet(store: Store) -> None:
    record, recent = decided(), Recent()
    recent.add(record)
    submissions = Submissions(store, recent)
    own = Feedback(record.decision_id, 0.5, labels={}, comment="a\x00b")
    assert await submissions.submit(Submit(own, "other")) is Kept.UNKNOWN
    assert await submissions.submit(Submit(own, "acme")) is Kept.KEPT
    write(store, [record])
    assert said(store, record.decision_id) == (replace(own, comment="a\ufffdb"),)
    submissions.close()


async def test_what_was_kept_is_told_with_what_it_is_about(store: Store) -> None:
    told: list[tuple[Feedback, Subject]] = []
    record, recent = decided(), Recent()
    submissions = Submissions(store, recent, tell=lambda *said: told.append(said))
    own = Feedback(record.decision_id, 0.5, labels={})
    traced = ended(record)._replace(outcome=replace(ended(record).outcome, trace_id="ab" * 16))
    write(store, [record], [traced])
    assert await submissions.submit(Submit(own, "other")) is Kept.UNKNOWN
    assert await submissions.submit(Submit(own, "acme")) is Kept.KEPT
    # The same of a decision that is still in memory, and of one whose end is not known yet.
    recent.add(record)
    assert await submissions.submit(Submit(own, "acme")) is Kept.KEPT
    recent.join(record.decision_id, traced.outcome)
    assert await submissions.submit(Submit(own, "acme")) is Kept.KEPT
    known = Subject("acme", "code", "eco", "medium", "ab" * 16)
    early = replace(known, model=None, trace_id=None)
    assert told == [(own, known), (own, early), (own, known)]
    submissions.close()


async def test_without_a_ledger() -> None:
    submissions = Submissions(None, Recent())
    assert await submissions.submit(Submit(Feedback("x", 1.0), None)) is Kept.NOWHERE
    submissions.close()


async def test_a_project_that_says_too_much(store: Store) -> None:
    clock = Clock()
    submissions = Submissions(store, Recent(), clock)
    own = Submit(Feedback("x", 1.0), "acme")
    first = [await submissions.submit(own) for _ in range(int(BURST))]
    assert set(first) == {Kept.UNKNOWN}
    assert await submissions.submit(own) is Kept.TOO_OFTEN
    assert await submissions.submit(replace(own, project="other")) is Kept.UNKNOWN
    submissions.close()


def test_an_allowance_fills_again() -> None:
    clock = Clock()
    allowance = Allowance(clock)
    assert all(allowance.take("a") for _ in range(int(BURST)))
    assert not allowance.take("a")
    clock.seconds += 2.5 / PER_SECOND
    assert [allowance.take("a") for _ in range(3)] == [True, True, False]
    clock.seconds += 1e6
    assert sum(allowance.take("a") for _ in range(int(BURST) * 2)) == BURST


async def test_a_ledger_that_is_away_holds_up_nobody(postgres: Postgres) -> None:
    store = Store(Address.parse(postgres.url))
    store.prepare()
    record = decided()
    write(store, [record])
    submissions = Submissions(store, Recent())
    own = Submit(Feedback(record.decision_id, 1.0, labels={}), "acme")
    postgres.stop()
    try:
        assert await submissions.submit(own) is Kept.AWAY
    finally:
        postgres.start()
    assert await submissions.submit(own) is Kept.KEPT
    assert said(store, record.decision_id) == (own.feedback,)
    submissions.close()


@pytest.mark.parametrize("database", ["sqlite"])
async def test_a_ledger_that_is_slow_has_a_bound(database: str, tmp_path: object) -> None:
    """Another writer holds the file: what waits is bounded, and waits no longer than it may."""
    store = Store(Address.parse(f"{tmp_path}/ledger.db"))
    store.prepare()
    record, recent = decided(), Recent()
    recent.add(record)
    submissions = Submissions(store, recent)
    own = Submit(Feedback(record.decision_id, 1.0, labels={}), "acme")
    with store.writing():
        found = await asyncio.gather(*(submissions.submit(own) for _ in range(MOST_PENDING + 9)))
        assert set(found) == {Kept.AWAY}
    submissions.close()
