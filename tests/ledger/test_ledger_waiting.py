"""What waits for the writer: decisions are handed on with their requests' ends, or when overdue."""

from __future__ import annotations

from prism.ledger.waiting import Batch, Waiting
from prism.prompt.kept import Prompt
from prism.routing.catalog import Prompts

from .entries import decided, ended

FEW, MANY = 3, 100


def names(batch: Batch | None) -> list[str] | None:
    return None if batch is None else list(batch.records)


def test_a_decision_waits_for_its_requests_end() -> None:
    waiting, record = Waiting(), decided(1)
    waiting.add(record)
    assert names(waiting.take(MANY)) == []
    assert waiting.take(MANY) is None
    assert len(waiting) == 1
    waiting.add(ended(record))
    batch = waiting.take(MANY)
    assert batch is not None
    assert batch.records == {record.decision_id: record}
    assert batch.ended == {record.decision_id: ended(record)}
    assert len(waiting) == 0
    assert waiting.take_overdue(MANY) is None


def test_a_decision_does_not_wait_for_ever() -> None:
    waiting, first, second = Waiting(), decided(1), decided(2)
    waiting.add(first)
    waiting.take(MANY)
    assert waiting.take_overdue(MANY) is None
    waiting.grow_older()
    waiting.add(second)
    waiting.take(MANY)
    assert names(waiting.take_overdue(MANY)) == [first.decision_id]
    waiting.add(ended(first))
    batch = waiting.take(MANY)
    assert batch is not None
    assert (names(batch), list(batch.ended)) == ([], [first.decision_id])
    assert len(waiting) == 1


def test_the_end_of_an_overdue_one_is_still_written_with_it() -> None:
    waiting, record = Waiting(), decided(1)
    waiting.add(record)
    waiting.take(MANY)
    waiting.grow_older()
    waiting.add(ended(record))
    assert names(waiting.take(MANY)) == [record.decision_id]
    assert waiting.take_overdue(MANY) is None


def test_few_are_taken_at_a_time_the_oldest_first() -> None:
    waiting, records = Waiting(), [decided(number) for number in range(5)]
    for record in records:
        waiting.add(record)
    while waiting.take(FEW) is not None:
        pass
    waiting.grow_older()
    ids = [record.decision_id for record in records]
    assert names(waiting.take_overdue(FEW)) == ids[:FEW]
    assert names(waiting.take_overdue(FEW)) == ids[FEW:]
    assert waiting.take_overdue(FEW) is None


def test_those_that_wait_for_an_end_take_room() -> None:
    waiting = Waiting(most=2)
    for number in range(2):
        waiting.add(decided(number))
    waiting.take(MANY)
    waiting.add(decided(3))
    assert (waiting.lost, len(waiting)) == (1, 2)


def test_a_prompt_goes_with_its_decision() -> None:
    waiting, record = Waiting(), decided(1)
    waiting.add(record)
    waiting.prompted(Prompt(record.decision_id, Prompts.REDACTED, b"{}"))
    batch = waiting.take(MANY)
    assert batch is not None
    assert list(batch.records) == list(batch.prompts) == [record.decision_id]
