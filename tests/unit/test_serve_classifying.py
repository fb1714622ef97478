"""Both looks of the classifier, with one that does as it is told. Nothing here sleeps."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence

import pytest

from prism.routing.catalog import Task
from prism.routing.signals import Classification
from prism.serve import classifying
from prism.serve.classifying import (
    MOST_A_SECOND,
    MOST_TOGETHER,
    MOST_WAITING,
    Classifying,
)

from .clock import Clock

LONG = 60_000.0
WAIT_S = 20
WORDS = (Classification(Task.SIMPLE, 0.5, {}), None)
"""What the words alone said."""
FAILED = (None, "the classifier failed")


class Told:
    """Sure of texts that end in a full stop. Notes what it has a second look at, then waits for
    leave; ``answer`` makes the answers."""

    def __init__(self) -> None:
        self.seconds: list[str] = []
        self.looked: list[str] = []
        self.entered = threading.Event()
        self.leave = threading.Event()
        self.answer: Callable[[str], Classification] = named

    def first(self, texts: Sequence[str]) -> list[tuple[Classification, bool]]:
        return [(self.answer(text), text.endswith(".")) for text in texts]

    def second(self, text: str) -> Classification:
        self.seconds.append(text)
        self.entered.set()
        assert self.leave.wait(WAIT_S)
        return self.answer(text)


def named(text: str) -> Classification:
    """A classification that tells which text it is of, by its confidence."""
    return Classification(Task.CODE, float(text), {})


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def asks(told: Told) -> AsyncIterator[Classifying]:
    made = Classifying(told)
    made.looked = told.looked.append
    yield made
    told.leave.set()
    await asyncio.to_thread(made.close)


def ask(asks: Classifying, text: str) -> asyncio.Task[classifying.Answer]:
    return asyncio.create_task(asks.second(text, LONG, WORDS))


async def busy(told: Told, asks: Classifying) -> asyncio.Task[classifying.Answer]:
    """The thread is held up with a first text."""
    first = ask(asks, "0")
    assert await asyncio.to_thread(told.entered.wait, WAIT_S)
    return first


def confidence(answer: classifying.Answer) -> float | None:
    return None if answer[0] is None else answer[0].confidence


def test_what_the_words_decide_stands(told: Told, asks: Classifying) -> None:
    found = asks.at_once(["1.", "2"])
    assert found == [((named("1."), None), True), ((named("2"), None), False)]
    assert told.seconds == []


async def test_second_looks_meet_their_questions(told: Told, asks: Classifying) -> None:
    first = await busy(told, asks)
    later = [ask(asks, str(n)) for n in range(1, 6)]
    await asyncio.sleep(0)  # they put their texts into the queue
    told.leave.set()
    answers = await asyncio.gather(first, *later)
    assert answers == [(named(str(n)), None) for n in range(6)]


async def test_after_the_deadline_the_words_answer_stands(told: Told, asks: Classifying) -> None:
    first = await busy(told, asks)
    assert await asks.second("1", 1.5, WORDS) == WORDS
    told.leave.set()
    assert confidence(await first) == 0
    assert told.looked == ["late", "taken"]
    # Whoever gave up is not worked for.
    assert confidence(await ask(asks, "2")) == 2
    assert "1" not in told.seconds


async def test_an_answer_after_the_deadline_harms_nobody(told: Told, asks: Classifying) -> None:
    assert await asks.second("1", 0, WORDS) == WORDS
    told.leave.set()
    assert confidence(await ask(asks, "2")) == 2


async def test_a_second_look_that_fails_leaves_the_words_answer(
    told: Told, asks: Classifying, caplog: pytest.LogCaptureFixture
) -> None:
    told.leave.set()
    told.answer = fail
    assert await ask(asks, "123456") == WORDS
    assert told.looked == ["failed"]
    assert "ValueError" in caplog.text
    assert "123456" not in caplog.text, "a prompt must not be logged"
    told.answer = named
    assert confidence(await ask(asks, "2")) == 2


def fail(text: str) -> Classification:
    raise ValueError(f"can't read {text}")


def test_a_first_look_that_fails_stands_and_leaves_the_others(
    told: Told, asks: Classifying, caplog: pytest.LogCaptureFixture
) -> None:
    found = asks.at_once(["1.", "no number", "2."])
    assert found == [((named("1."), None), True), (FAILED, True), ((named("2."), None), True)]
    assert "no number" not in caplog.text, "a prompt must not be logged"


@pytest.mark.parametrize("count", [0, 2])
def test_a_classifier_that_answers_too_few_or_too_many_has_failed(
    told: Told, asks: Classifying, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(told, "first", lambda texts: [(named("1"), True)] * count)
    assert asks.at_once(["1"]) == [(FAILED, True)]


async def test_where_too_many_come_together_none_has_a_second_look(told: Told) -> None:
    clock = Clock()
    made = Classifying(told, clock)
    made.looked = told.looked.append
    try:
        doubts = [stands for _, stands in made.at_once(["1"] * MOST_TOGETHER)]
        assert doubts == [False] * MOST_TOGETHER
        assert told.looked == []
        assert all(stands for _, stands in made.at_once(["1.", "1"]))
        assert told.looked == ["busy"]
        # What came before is forgotten at the rate that can be borne.
        clock.seconds += 3.5 / MOST_A_SECOND
        assert made.at_once(["1"])[0][1] is False
        # However many came, the pause after them is short.
        assert all(stands for _, stands in made.at_once(["1"] * 1_000))
        clock.seconds += (MOST_TOGETHER + 1) / MOST_A_SECOND
        assert made.at_once(["1"])[0][1] is False
    finally:
        await asyncio.to_thread(made.close)


@pytest.mark.parametrize(("rate", "busy"), [(0.9, False), (1.5, True)])
async def test_as_many_as_can_be_borne_have_second_looks_all_the_time(
    told: Told, rate: float, busy: bool
) -> None:
    clock = Clock()
    made = Classifying(told, clock)
    stands = []
    for _ in range(10 * MOST_TOGETHER):
        clock.seconds += 1 / (rate * MOST_A_SECOND)
        stands.append(made.at_once(["1"])[0][1])
    await asyncio.to_thread(made.close)
    assert set(stands[-MOST_TOGETHER:]) == {busy}
    assert stands[0] is False


async def test_nobody_queues_where_enough_wait(told: Told, asks: Classifying) -> None:
    first = await busy(told, asks)
    waiting = []
    for number in range(1, MOST_WAITING + 1):
        assert asks.at_once(["1"])[0][1] is False
        waiting.append(ask(asks, str(number)))
        await asyncio.sleep(0)
    assert asks.at_once(["1"])[0][1] is True
    told.leave.set()
    answers = await asyncio.gather(first, *waiting)
    assert [confidence(answer) for answer in answers] == list(range(MOST_WAITING + 1))
    assert asks.at_once(["1"])[0][1] is False


async def test_a_caller_that_goes_away_leaves_the_others(told: Told, asks: Classifying) -> None:
    first = await busy(told, asks)
    gone, stays = ask(asks, "1"), ask(asks, "2")
    await asyncio.sleep(0)
    gone.cancel()
    told.leave.set()
    assert [confidence(answer) for answer in await asyncio.gather(first, stays)] == [0, 2]
    assert gone.cancelled() or ((await asyncio.wait([gone])) and gone.cancelled())


async def test_close_ends_the_thread(told: Told) -> None:
    made = Classifying(told)
    told.leave.set()
    assert confidence(await ask(made, "1")) == 1
    await asyncio.to_thread(made.close)
    assert made._thread.is_alive() is False
