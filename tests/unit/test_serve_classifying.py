"""The classifier beside the loop, with one that does as it is told. Nothing here sleeps."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence

import pytest

from prism.routing.catalog import Task
from prism.routing.signals import Classification
from prism.serve import classifying
from prism.serve.classifying import MAX_BATCH, Classifying

LONG = 60_000.0
WAIT_S = 20


class Told:
    """Notes each batch, then waits for leave; ``answer`` makes the answers."""

    quick = False

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.entered = threading.Event()
        self.leave = threading.Event()
        self.answer: Callable[[Sequence[str]], list[Classification]] = named

    def classify_batch(self, texts: Sequence[str]) -> list[Classification]:
        self.batches.append(list(texts))
        self.entered.set()
        assert self.leave.wait(WAIT_S)
        return self.answer(texts)


def named(texts: Sequence[str]) -> list[Classification]:
    """A classification that tells which text it is of, by its confidence."""
    return [Classification(Task.CODE, float(text), {}) for text in texts]


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def asks(told: Told) -> AsyncIterator[Classifying]:
    made = Classifying(told)
    yield made
    told.leave.set()
    await asyncio.to_thread(made.close)


async def busy(told: Told, asks: Classifying) -> asyncio.Task[classifying.Answer]:
    """The thread is held up with a first text."""
    first = asyncio.create_task(asks.classify("0", LONG))
    assert await asyncio.to_thread(told.entered.wait, WAIT_S)
    return first


def confidence(answer: classifying.Answer) -> float | None:
    return None if answer[0] is None else answer[0].confidence


async def test_answers_meet_their_questions_in_batches(told: Told, asks: Classifying) -> None:
    first = await busy(told, asks)
    later = [asyncio.create_task(asks.classify(str(n), LONG)) for n in range(1, MAX_BATCH + 5)]
    await asyncio.sleep(0)  # they put their texts into the queue
    told.leave.set()
    answers = await asyncio.gather(first, *later)
    assert [confidence(answer) for answer in answers] == list(range(MAX_BATCH + 5))
    assert [answer[1] for answer in answers] == [None] * (MAX_BATCH + 5)
    assert [len(batch) for batch in told.batches] == [1, MAX_BATCH, 4]


async def test_a_deadline_passes(told: Told, asks: Classifying) -> None:
    first = await busy(told, asks)
    late = await asks.classify("1", 1.5)
    assert late == (None, "deadline of 1.5 ms passed")
    told.leave.set()
    assert confidence(await first) == 0
    # Whoever gave up is not worked for.
    assert confidence(await asks.classify("2", LONG)) == 2
    assert ["1"] not in told.batches


async def test_an_answer_after_the_deadline_harms_nobody(told: Told, asks: Classifying) -> None:
    assert await asks.classify("1", 0) == (None, "deadline of 0 ms passed")
    told.leave.set()
    assert confidence(await asks.classify("2", LONG)) == 2


@pytest.mark.parametrize("count", [0, 2])
async def test_a_classifier_that_answers_too_few_or_too_many_has_failed(
    told: Told, asks: Classifying, count: int
) -> None:
    told.answer = lambda texts: named(["1"] * count)
    told.leave.set()
    assert await asks.classify("1", LONG) == (None, "the classifier failed")


async def test_a_classifier_that_raises_fails_its_batch_alone(
    told: Told, asks: Classifying, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(texts: Sequence[str]) -> list[Classification]:
        raise ValueError(f"can't read {texts}")

    told.answer = fail
    told.leave.set()
    assert await asks.classify("123456", LONG) == (None, "the classifier failed")
    assert "ValueError" in caplog.text
    assert "123456" not in caplog.text, "a prompt must not be logged"
    told.answer = named
    assert confidence(await asks.classify("2", LONG)) == 2


async def test_too_many_are_turned_away_at_once(
    told: Told, asks: Classifying, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classifying, "MAX_WAITING", 2)
    first = await busy(told, asks)
    waiting = [asyncio.create_task(asks.classify(str(n), LONG)) for n in (1, 2)]
    await asyncio.sleep(0)
    assert await asks.classify("3", LONG) == (None, "the classifier is overloaded")
    told.leave.set()
    assert [confidence(answer) for answer in await asyncio.gather(first, *waiting)] == [0, 1, 2]


async def test_a_caller_that_goes_away_leaves_the_others(told: Told, asks: Classifying) -> None:
    first = await busy(told, asks)
    gone, stays = (asyncio.create_task(asks.classify(text, LONG)) for text in "12")
    await asyncio.sleep(0)
    gone.cancel()
    told.leave.set()
    assert [confidence(answer) for answer in await asyncio.gather(first, stays)] == [0, 2]
    assert gone.cancelled() or ((await asyncio.wait([gone])) and gone.cancelled())


async def test_close_ends_the_thread(told: Told) -> None:
    made = Classifying(told)
    told.leave.set()
    assert confidence(await made.classify("1", LONG)) == 1
    await asyncio.to_thread(made.close)
    assert made._thread.is_alive() is False


async def test_a_quick_model_answers_at_once(told: Told) -> None:
    told.quick = True
    told.leave.set()
    made = Classifying(told)
    try:
        wanted = [(Classification(Task.CODE, number, {}), None) for number in (0.5, 0.25)]
        assert made.at_once(["0.5", "0.25"]) == wanted
        assert told.batches == [["0.5", "0.25"]]
        # A decision must be made whatever the model does; the others are not to blame.
        failed = (None, "the classifier failed")
        assert made.at_once(["0.5", "no number", "0.25"]) == [wanted[0], failed, wanted[1]]
    finally:
        await asyncio.to_thread(made.close)


async def test_a_slow_model_is_not_asked_on_the_loop(told: Told, asks: Classifying) -> None:
    assert asks.at_once(["0.5"]) is None
    assert told.batches == []
