"""ext_proc: carries messages between Envoy and the stages. This is the hot path."""

from __future__ import annotations

import asyncio
import logging
import os
import time
import traceback
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import grpc

from prism.envoy.names import ATTEMPT_STAGE, ROUTE_AT_ONCE, STAGE
from prism.exchange import answers
from prism.exchange.answering import Answering
from prism.exchange.attempt import AttemptStage
from prism.exchange.headers import TRACEPARENT
from prism.exchange.route import RouteStage
from prism.exchange.steps import Classify, Proceed, Reply, Rewrite, Step, Submit
from prism.exchange.targets import Live
from prism.routing.record import Record, Timing
from prism.serve.budget import RetryBudgets
from prism.serve.classifying import Answer
from prism.serve.conversations import Conversations
from prism.serve.feedback import Submissions
from prism.serve.health import HealthTracker
from prism.serve.keys import KeyTracker
from prism.serve.racing import RaceLedger
from prism.serve.recent import Recent
from prism.serve.spending import SpendingLedger
from prism.wire import ext_proc

log = logging.getLogger(__name__)

_EOF = grpc.aio.EOF
_METHOD = f"/{ext_proc.SERVICE}/{ext_proc.METHOD}"
_NOT_YET = (grpc.StatusCode.UNAVAILABLE, "no configuration yet")


class Asks(Protocol):
    """What is needed of ``Classifying``."""

    def at_once(self, text: str) -> Answer | None:
        """The answer, where it can be had without waiting."""

    async def classify(self, text: str, deadline_ms: float) -> Answer:
        """The answer, within the deadline."""


class Processor:
    """The ext_proc service. ``live`` is replaced whole when the configuration changes."""

    def __init__(
        self,
        asks: Asks,
        health: HealthTracker,
        recent: Recent,
        keys: KeyTracker,
        races: RaceLedger,
        budgets: RetryBudgets,
        conversations: Conversations,
        spending: SpendingLedger | None = None,
        submissions: Submissions | None = None,
    ) -> None:
        self.live: Live | None = None
        self.races = races
        self.budgets = budgets
        self.spending = spending or SpendingLedger(time.time, time.monotonic)
        self.conversations = conversations
        self._asks = asks
        self._health = health
        self._recent = recent
        self._keys = keys
        self._submissions = submissions or Submissions(None, recent)

    async def at_once(self, message: Any, context: Any) -> bytes:
        """One request at the route stage, its headers beside its body in one message."""
        live = self.live
        if live is None:
            await context.abort(*_NOT_YET)
            raise AssertionError("abort raises")
        clock = [time.time_ns()]
        decision_id = new_decision_id(clock[0])
        if message is None:
            return ext_proc.reply_message(answers.bad_headers(decision_id))
        try:
            stage = self._route_stage(live, decision_id)
            step: Step = stage.on_headers(ext_proc.headers_at_once(message))
            if type(step) is Proceed:
                step = stage.on_body(message.request_body.body)
            if type(step) is Classify:
                step = await self._classified(stage, step, clock)
            if type(step) is Rewrite:
                answer = ext_proc.rewrite_at_once(step)
            else:
                answer = ext_proc.reply_message(_reply(await self._submitted(stage, step)))
            self._charge(stage, step)
            clock.append(time.time_ns())
        except Exception as error:
            await _fail(error, context)
            raise
        # Envoy need not wait for what only the console and replays read.
        asyncio.get_running_loop().call_soon(self._remember, stage, clock)
        return answer

    async def process(self, _: object, context: Any) -> None:
        """One stream: one request at one stage, its headers and its body one after the other."""
        live = self.live
        if live is None:
            await context.abort(*_NOT_YET)
            return
        try:
            if (STAGE, ATTEMPT_STAGE) in context.invocation_metadata():
                await self._attempt(live, context)
            else:
                await self._route(live, context)
        except (grpc.aio.AbortError, grpc.aio.UsageError, grpc.RpcError):
            raise
        except Exception as error:
            await _fail(error, context)

    async def _route(self, live: Live, context: Any) -> None:
        message = await context.read()
        if message is _EOF:
            return
        clock = [time.time_ns()]
        stage = self._route_stage(live, new_decision_id(clock[0]))
        step: Step = stage.on_headers(ext_proc.headers_event(message))
        on_body = False
        if type(step) is Proceed:
            await context.write(ext_proc.PROCEED_HEADERS)
            message = await context.read()
            if message is _EOF:
                return
            on_body = True
            step = stage.on_body(message.request_body.body)
        if type(step) is Classify:
            step = await self._classified(stage, step, clock)
        if type(step) is Submit:
            step = await self._submitted(stage, step)
        answer = _encode(step, on_body=on_body)
        # Before anything is awaited: the next request must find this one charged.
        self._charge(stage, step)
        clock.append(time.time_ns())
        await context.write(answer)
        self._remember(stage, clock)

    def _route_stage(self, live: Live, decision_id: str) -> RouteStage:
        return RouteStage(
            live,
            self._health.now(),
            decision_id,
            self.races.now(),
            resting=self._keys.now(),
            may_retry=self.budgets.left,
            spending_of=self.spending.of,
            recall=self.conversations.held,
        )

    async def _classified(self, stage: RouteStage, step: Classify, clock: list[int]) -> Step:
        clock.append(time.time_ns())
        answer = self._asks.at_once(step.text)
        if answer is None:
            answer = await self._asks.classify(step.text, step.deadline_ms)
        clock.append(time.time_ns())
        return stage.on_classified(*answer)

    async def _submitted(self, stage: RouteStage, step: Step) -> Step:
        if type(step) is not Submit:
            return step
        return stage.on_submitted(step, await self._submissions.submit(step))

    def _charge(self, stage: RouteStage, step: Step) -> None:
        """Count race, request and cost, before the next request asks what is left of them."""
        if stage.race is not None:
            self.races.opened(stage.decision_id, stage.race)
        if type(step) is Rewrite and (routed := stage.routed) is not None:
            self.budgets.requested(routed.decision.table)
            if not stage.free:
                plan, signals = stage.live.plan, routed.signals
                self.spending.sent(stage.decision_id, plan, signals, routed.decision, stage.race)
            # The conversation is on the model that is tried first, until it is known who answered.
            self.conversations.answered(routed, routed.decision.models[0])

    def _remember(self, stage: RouteStage, clock: Sequence[int]) -> None:
        """Remember the decision, where one was made, and the times read on its way."""
        if (routed := stage.routed) is not None:
            self._recent.add(
                Record(
                    decision_id=stage.decision_id,
                    time=clock[-1] / 1e9,
                    plan_version=stage.live.version,
                    signals=routed.signals,
                    classification=routed.classification,
                    health=stage.health,
                    race_allowed=routed.race_allowed,
                    decision=routed.decision,
                    retry_allowed=routed.retry_allowed,
                    spending=routed.spending,
                    held=routed.held,
                    timing=_timing(clock),
                ),
                # A dry run is nobody's traffic.
                for_good=not stage.dry_run,
            )

    async def _attempt(self, live: Live, context: Any) -> None:
        message = await context.read()
        if message is _EOF:
            return
        now_ms, take = time.time_ns() // 1_000_000, self.budgets.take
        stage = AttemptStage(live, now_ms, take, self._keys.now())
        step: Step = stage.on_headers(ext_proc.headers_event(message))
        if stage.ended is not None:
            self._recent.note(stage.decision_id, stage.ended)
        if type(step) is not Proceed:
            await context.write(_encode(step, on_body=False))
            return
        await context.write(ext_proc.PROCEED_TO_ANSWER if step.answer else ext_proc.PROCEED_HEADERS)
        message = await context.read()
        if message is _EOF:
            return
        await context.write(_encode(stage.on_body(message.request_body.body), on_body=True))
        if stage.answering is not None:
            await _translate(stage.answering, context)


async def _translate(answering: Answering, context: Any) -> None:
    """The answer of an attempt, from the provider's API to the client's."""
    message = await context.read()
    headers = None if message is _EOF else ext_proc.answer_headers(message)
    if headers is None:
        return
    taken = answering.on_headers(headers)
    if isinstance(taken, Reply):
        await context.write(ext_proc.reply_message(taken))
        return
    await context.write(ext_proc.taken_message(taken))
    last = headers.complete
    while not last and (message := await context.read()) is not _EOF:
        last = message.response_body.end_of_stream
        body = answering.on_body(message.response_body.body, last=last)
        if isinstance(body, Reply):
            await context.write(ext_proc.reply_message(body))
            return
        await context.write(ext_proc.answer_body_message(body, whole=taken.whole))


class ExtProc(grpc.GenericRpcHandler):
    """Chooses how a stream is handled by what Envoy's filter says of itself.

    A request that comes in one message gets one answer, which gRPC can send together with
    the end of the stream: half the turns of a stream that is read and written step by step.
    """

    def __init__(self, processor: Processor) -> None:
        self._at_once: Any = grpc.unary_unary_rpc_method_handler(
            processor.at_once, request_deserializer=ext_proc.decode_at_once
        )
        self._stages: Any = grpc.stream_stream_rpc_method_handler(
            processor.process, request_deserializer=ext_proc.decode
        )

    def service(self, handler_call_details: Any) -> Any:
        """The handler of a call, ``None`` where it is for another service."""
        if handler_call_details.method != _METHOD:
            return None
        at_once = (STAGE, ROUTE_AT_ONCE) in handler_call_details.invocation_metadata
        return self._at_once if at_once else self._stages


def new_decision_id(now_ns: int) -> str:
    """Sorts by time: 12 hex digits of milliseconds since the epoch, then 64 random bits."""
    return f"{now_ns // 1_000_000:012x}{os.urandom(8).hex()}"


def _timing(clock: Sequence[int]) -> Timing:
    came, *asked, decided = clock
    return Timing(came, asked[0], asked[1], decided) if asked else Timing(came, None, None, decided)


async def _fail(error: Exception, context: Any) -> None:
    # The message of an error could hold a prompt: say only what and where.
    where = traceback.extract_tb(error.__traceback__)[-1]
    kind, trace = type(error).__name__, trace_of(context.invocation_metadata())
    log.error("%s at %s:%s, trace %s", kind, where.filename, where.lineno, trace or "unknown")
    await context.abort(grpc.StatusCode.INTERNAL, "internal error")


def trace_of(metadata: Iterable[tuple[str, str | bytes]]) -> str:
    """The id of the trace that Envoy's question belongs to, empty where it is in none."""
    for name, value in metadata:
        if name == TRACEPARENT and isinstance(value, str) and value.count("-") == 3:
            return value.split("-")[1]
    return ""


def _encode(step: Step, *, on_body: bool) -> bytes:
    if type(step) is Rewrite:
        return ext_proc.rewrite_message(step, on_body=on_body)
    return ext_proc.reply_message(_reply(step))


def _reply(step: Step) -> Reply:
    if type(step) is not Reply:
        raise AssertionError("a stage must end with a rewrite or a reply")
    return step
