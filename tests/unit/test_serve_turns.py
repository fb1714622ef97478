"""A conversation turn by turn through the route stage as it is served, in Envoy's messages."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from envoy.service.ext_proc.v3.external_processor_pb2 import ProcessingRequest, ProcessingResponse

from prism.envoy.names import EXT_PROC
from prism.exchange.targets import Live
from prism.routing.bounds import Budget, Period, WhenSpent
from prism.routing.catalog import Api
from prism.routing.record import Record
from prism.serve.budget import RetryBudgets
from prism.serve.classifying import Answer
from prism.serve.conversations import Conversations
from prism.serve.health import HealthTracker
from prism.serve.keys import KeyTracker
from prism.serve.processor import Processor
from prism.serve.racing import RaceLedger
from prism.serve.recent import Recent
from prism.serve.small import SmallRequests

from .clock import Clock
from .stages import live
from .tables import BALANCED, ECO, catalog, classified, policy, table

HI = {"role": "user", "content": "hi"}
ANSWER = {"role": "assistant", "content": "hello"}
CALL = {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function"}]}
RESULT = {"role": "tool", "tool_call_id": "1", "content": "42"}


class Sure:
    """Every text is code."""

    def at_once(self, texts: Sequence[str]) -> list[tuple[Answer, bool]]:
        return [((classified(), None), True) for _ in texts]

    async def second(self, text: str, deadline_ms: float, otherwise: Answer) -> Answer:
        raise AssertionError(text)


class Replica:
    """One replica's route stage and what it remembers."""

    def __init__(self, made: Live | None = None) -> None:
        self.clock, self.recent = Clock(), Recent()
        self.conversations = Conversations(self.clock)
        self.processor = Processor(
            Sure(),
            HealthTracker(self.clock),
            self.recent,
            KeyTracker(self.clock),
            RaceLedger(self.clock),
            RetryBudgets(self.clock),
            self.conversations,
        )
        self.processor.live = made or live()
        self.small = SmallRequests(self.processor)

    def ask(
        self,
        *messages: dict[str, Any],
        mode: str,
        path: str = "/v1/chat/completions",
        named: str | None = None,
    ) -> str:
        """The model that is tried first."""
        message = ProcessingRequest()
        body = {"model": "auto", "max_tokens": 9, "messages": messages}
        message.request_body.body = json.dumps(body).encode()
        fields = message.attributes[EXT_PROC].fields
        fields["request.method"].string_value = "POST"
        fields["request.path"].string_value = path
        fields["request.headers['x-prism-mode']"].string_value = mode
        if named is not None:
            fields["request.headers['x-prism-conversation']"].string_value = named

        async def answered() -> bytes:
            answer = await self.small.answer(message, None)
            await asyncio.sleep(0)  # the record is kept after the answer
            return answer

        assert ProcessingResponse.FromString(asyncio.run(answered()))
        return self.newest.decision.models[0]

    @property
    def newest(self) -> Record:
        (record,) = self.recent.newest(1)
        return record


def test_tools_keep_the_model_and_then_the_mode_that_was_asked_for_counts() -> None:
    replica = Replica()
    assert replica.ask(HI, mode="sport") == "huge"
    assert replica.ask(HI, CALL, RESULT, mode="eco") == "huge"
    assert replica.ask(HI, CALL, RESULT, CALL, RESULT, mode="eco") == "huge"
    held = replica.newest.held
    assert held is not None
    assert (held.model, held.mode) == ("huge", "sport")
    assert replica.ask(HI, CALL, RESULT, ANSWER, HI, mode="eco") == "tiny"
    assert replica.ask(HI, CALL, RESULT, ANSWER, HI, ANSWER, HI, mode="eco") == "tiny"


def test_a_cold_cache_lets_it_go() -> None:
    replica = Replica()
    assert replica.ask(HI, mode="balanced") == "medium"
    replica.conversations.remember(str(replica.newest.signals.conversation), "large", BALANCED)
    assert replica.ask(HI, ANSWER, HI, mode="balanced") == "large"
    replica.clock.seconds += 300
    assert replica.ask(HI, ANSWER, HI, ANSWER, HI, mode="balanced") == "medium"


def test_a_dry_run_remembers_nothing() -> None:
    replica = Replica()
    replica.ask(HI, mode="sport", path="/v1/prism/route")
    assert len(replica.conversations) == 0


def test_counting_tokens_costs_no_budget_and_moves_no_conversation() -> None:
    made = table()
    acorn = replace(made.providers["acorn"], api=Api.ANTHROPIC)
    made = replace(made, providers={**made.providers, "acorn": acorn})
    acme = policy(anonymous=True, budgets=(Budget(Period.MONTH, 50.0, WhenSpent.REFUSE),))
    replica = Replica(live(catalog(acme, tables=(made,))))
    count = "/v1/messages/count_tokens"

    def reserved() -> float:
        found: float = replica.processor.spending.status()[0]["reservedUsd"]
        return found

    def held() -> str | None:
        found = replica.conversations.held(talk)
        return None if found is None else found.model

    assert replica.ask(HI, mode="sport", path="/v1/messages", named="talk") == "huge"
    talk, before = str(replica.newest.signals.conversation), reserved()
    assert before > 0
    # Only models of Anthropic's API can count.
    assert replica.ask(HI, mode="sport", path=count, named="talk") == "medium"
    assert (reserved(), held()) == (before, "huge")
    # The conversation's own model is asked where it can.
    replica.conversations.remember(talk, "medium", ECO)
    assert replica.ask(HI, ANSWER, HI, mode="eco", path=count) == "tiny"
    assert replica.ask(HI, ANSWER, HI, mode="eco", path=count, named="talk") == "medium"
    assert (reserved(), held()) == (before, "medium")
