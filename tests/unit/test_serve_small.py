"""Small requests that wait at the same time: each is answered as if it were alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from envoy.service.ext_proc.v3.external_processor_pb2 import ProcessingRequest, ProcessingResponse

from prism.envoy.names import EXT_PROC, METADATA
from prism.prompt.kept import Prompt
from prism.routing.bounds import Budget, Period, WhenSpent
from prism.routing.catalog import Task
from prism.routing.record import Outcome, Record
from prism.serve.budget import RetryBudgets
from prism.serve.classifying import Answer
from prism.serve.conversations import Conversations
from prism.serve.decision_id import new_decision_id
from prism.serve.health import HealthTracker
from prism.serve.keys import KeyTracker
from prism.serve.processor import Processor
from prism.serve.racing import RaceLedger
from prism.serve.recent import Recent
from prism.serve.small import SmallRequests
from prism.serve.turns import MOST, Turns

from .clock import Clock
from .stages import live
from .tables import catalog, classified, policy


class Knows:
    """A text's first word is its task; "slow ..." has a second look, "bad ..." fails."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def at_once(self, texts: Sequence[str]) -> list[tuple[Answer, bool]]:
        words = [text.split()[0] for text in texts]
        if "fails" in words:
            raise ValueError("a classifier of others may do anything")
        self.asked += texts
        said: dict[str, Any] = {"bad": BAD, "slow": classified(Task.SIMPLE)}
        return [
            ((said[word] if word in said else classified(Task(word)), None), word != "slow")
            for word in words
        ]

    async def second(self, text: str, deadline_ms: float, otherwise: Answer) -> Answer:
        if text.endswith("late"):
            return otherwise
        await asyncio.sleep(0)
        return classified(Task.CODE), None


BAD: Any = "no classification"


class Aborted(Exception):
    """What gRPC raises from ``abort``."""


class Context:
    def invocation_metadata(self) -> tuple[()]:
        return ()

    async def abort(self, *_: object) -> None:
        raise Aborted


class Keeper:
    """Keeps the ids of decisions, as often as it is told of them."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def decided(self, record: Record) -> None:
        self.told.append(record.decision_id)

    def prompted(self, prompt: Prompt) -> None:
        raise AssertionError("nobody asked for it")

    def ended(self, decision_id: str, outcome: Outcome, cost_usd: float | None) -> None:
        raise AssertionError("nothing ends here")


class Replica:
    def __init__(self, budget_usd: float = 1e6) -> None:
        clock = Clock()
        budget = Budget(Period.MONTH, budget_usd, WhenSpent.REFUSE)
        acme = policy(anonymous=True, budgets=(budget,))
        self.keeper = Keeper()
        self.recent = Recent(keeper=self.keeper)
        self.knows = Knows()
        self.processor = Processor(
            self.knows,
            HealthTracker(clock),
            self.recent,
            KeyTracker(clock),
            RaceLedger(clock),
            RetryBudgets(clock),
            Conversations(clock),
        )
        self.processor.live = live(catalog(acme))
        self.small = SmallRequests(self.processor)

    def ask(self, text: str) -> Awaitable[bytes]:
        return self.small.answer(message(text), Context())


def message(text: str) -> ProcessingRequest:
    made = ProcessingRequest()
    body = {"model": "auto", "messages": [{"role": "user", "content": text}]}
    made.request_body.body = json.dumps(body).encode()
    fields = made.attributes[EXT_PROC].fields
    fields["request.method"].string_value = "POST"
    fields["request.path"].string_value = "/v1/chat/completions"
    return made


def task(answer: bytes) -> str:
    found = ProcessingResponse.FromString(answer).dynamic_metadata.fields[METADATA]
    return str(found.struct_value.fields["task"].string_value)


def status(answer: bytes) -> int:
    return int(ProcessingResponse.FromString(answer).immediate_response.status.code)


async def together(*asked: Awaitable[Any]) -> list[Any]:
    async with asyncio.timeout(30):
        return await asyncio.gather(*asked, return_exceptions=True)


async def test_each_gets_its_own_answer() -> None:
    replica = Replica()
    tasks = ["simple", "slow", "code", "reasoning", "complex", "simple"] * 3
    answers = await together(*(replica.ask(f"{word} {n}") for n, word in enumerate(tasks)))
    wanted = ["code" if word == "slow" else word for word in tasks]
    assert [task(answer) for answer in answers] == wanted
    await asyncio.sleep(0)
    kept = replica.recent.newest(100)
    assert len({record.decision_id for record in kept}) == len(tasks)
    assert sorted(record.decision.task for record in kept) == sorted(wanted)


async def test_each_is_remembered_once_also_where_a_second_look_comes_to_nothing() -> None:
    replica = Replica()
    await together(replica.ask("code 1"), replica.ask("slow and late"), replica.ask("slow 3"))
    await asyncio.sleep(0)
    assert len(replica.keeper.told) == len(set(replica.keeper.told)) == 3


async def test_those_that_are_asked_with_one_that_fails_get_an_error_and_none_waits() -> None:
    replica = Replica()
    answers = await together(replica.ask("code 1"), replica.ask("fails 2"))
    assert [type(answer) for answer in answers] == [Aborted, Aborted]
    assert task(await replica.ask("code 3")) == "code"


async def test_one_that_fails_takes_none_with_it() -> None:
    replica = Replica()
    answers = await together(replica.ask("code 1"), replica.ask("bad 2"), replica.ask("simple 3"))
    assert isinstance(answers[1], Aborted)
    assert [task(answers[0]), task(answers[2])] == ["code", "simple"]


async def test_what_nobody_waits_for_is_not_done() -> None:
    replica = Replica()
    first, gone = (asyncio.ensure_future(replica.ask(text)) for text in ("code 1", "code 2"))
    # Both are under way, and wait for the turn that takes them up.
    asyncio.get_running_loop().call_soon(gone.cancel)
    answers = await together(first, gone)
    assert task(answers[0]) == "code"
    assert isinstance(answers[1], asyncio.CancelledError)
    assert replica.knows.asked == ["code 1"]
    assert len(replica.recent.newest(9)) == 1


async def test_the_next_one_finds_what_the_one_before_it_has_spent() -> None:
    replica = Replica(budget_usd=1e-9)
    answers = await together(*(replica.ask(f"code {n}") for n in range(4)))
    assert [status(answer) for answer in answers] == [0, 429, 429, 429]


async def test_a_turn_takes_what_has_come_and_no_more_than_some_together() -> None:
    taken: list[Sequence[int]] = []
    turns: Turns[int] = Turns(taken.append)
    for number in range(2 * MOST + 1):
        turns.add(number)
    assert taken == []
    for _ in range(3):
        await asyncio.sleep(0)
    assert [len(items) for items in taken] == [MOST, MOST, 1]
    assert [number for items in taken for number in items] == list(range(2 * MOST + 1))
    turns.add(99)
    await asyncio.sleep(0)
    assert taken[-1] == [99]


@pytest.mark.parametrize("now_ns", [0, 1_700_000_000_000_000_000])
def test_ids_are_all_different_and_begin_with_the_time(now_ns: int) -> None:
    made: Callable[[], str] = lambda: new_decision_id(now_ns)  # noqa: E731
    found = [made() for _ in range(3000)]
    assert len(set(found)) == len(found)
    assert {name[:12] for name in found} == {f"{now_ns // 1_000_000:012x}"}
    assert {len(name) for name in found} == {28}
