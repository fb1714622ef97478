"""ext_proc: carries messages between Envoy and the stages. This is the hot path."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import grpc

from prism.envoy.names import ATTEMPT_STAGE, STAGE
from prism.exchange.answering import Answering
from prism.exchange.attempt import AttemptStage
from prism.exchange.route import RouteStage
from prism.exchange.steps import Classify, Proceed, Reply, Rewrite, Step, Submit
from prism.exchange.targets import Live
from prism.routing.record import Record, Timing
from prism.serve.budget import RetryBudgets
from prism.serve.classifying import Answer
from prism.serve.comparing import Comparing
from prism.serve.conversations import Conversations
from prism.serve.decision_id import new_decision_id
from prism.serve.failing import NOT_YET, fail
from prism.serve.feedback import Submissions
from prism.serve.health import HealthTracker
from prism.serve.keys import KeyTracker
from prism.serve.racing import RaceLedger
from prism.serve.recent import Recent
from prism.serve.spending import SpendingLedger
from prism.wire import ext_proc
from prism.wire.attempts_log import FailedAttempt

_EOF = grpc.aio.EOF


class Asks(Protocol):
    """What is needed of ``Classifying``."""

    def at_once(self, texts: Sequence[str]) -> Sequence[tuple[Answer, bool]]:
        """The answers that can be had without waiting, and whether each is to stand."""

    async def second(self, text: str, deadline_ms: float, otherwise: Answer) -> Answer:
        """The answer of a second look; ``otherwise`` where none comes within the deadline."""


class Processor:
    """The ext_proc service. ``live`` is replaced whole when the configuration changes. ``failed``
    is told of attempts that Envoy does not know to have failed."""

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
        self.failed: Callable[[FailedAttempt], None] = _nobody_asked
        self.races = races
        self.budgets = budgets
        self.spending = spending or SpendingLedger(time.time, time.monotonic)
        self.conversations = conversations
        self.asks = asks
        self._health = health
        self._recent = recent
        self._keys = keys
        self._submissions = submissions or Submissions(None, recent)
        self._comparing = Comparing(time.monotonic)

    async def process(self, _: object, context: Any) -> None:
        """One stream: one request at one stage, its headers and its body one after the other."""
        live = self.live
        if live is None:
            await context.abort(*NOT_YET)
            return
        try:
            if (STAGE, ATTEMPT_STAGE) in context.invocation_metadata():
                await self._attempt(live, context)
            else:
                await self._route(live, context)
        except (grpc.aio.AbortError, grpc.aio.UsageError, grpc.RpcError):
            raise
        except Exception as error:
            await fail(error, context)

    async def _route(self, live: Live, context: Any) -> None:
        message = await context.read()
        if message is _EOF:
            return
        clock = [time.time_ns()]
        stage = self.route_stage(live, new_decision_id(clock[0]))
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
            step = await self.classified(stage, step, clock)
        if type(step) is Submit:
            step = await self.submitted(stage, step)
        answer = _encode(step, on_body=on_body)
        # Before anything is awaited: the next request must find this one charged.
        self.charge(stage, step)
        clock.append(time.time_ns())
        await context.write(answer)
        self.remember(stage, clock)

    def route_stage(self, live: Live, decision_id: str) -> RouteStage:
        """A request at the route stage, with what is known just now."""
        return RouteStage(
            live,
            self._health.now(),
            decision_id,
            self.races.now(),
            resting=self._keys.now(),
            may_retry=self.budgets.left,
            spending_of=self.spending.of,
            recall=self.conversations.held,
            recall_other=self._comparing.held,
        )

    async def classified(self, stage: RouteStage, step: Classify, clock: list[int]) -> Step:
        """Decide with the classifier's answer, as soon as there is one."""
        clock.append(time.time_ns())
        ((answer, stands),) = self.asks.at_once((step.text,))
        if not stands:
            answer = await self.asks.second(step.text, step.deadline_ms, answer)
        clock.append(time.time_ns())
        return stage.on_classified(*answer)

    async def second(self, step: Classify, doubted: Answer, clock: list[int]) -> Answer:
        """What the classifier says at a second look; ``clock`` has when it was first asked."""
        answer = await self.asks.second(step.text, step.deadline_ms, doubted)
        clock[-1] = time.time_ns()
        return answer

    async def submitted(self, stage: RouteStage, step: Step) -> Step:
        """Keep feedback, where the request brings some."""
        if type(step) is not Submit:
            return step
        return stage.on_submitted(step, await self._submissions.submit(step))

    def charge(self, stage: RouteStage, step: Step) -> None:
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

    def remember(self, stage: RouteStage, clock: Sequence[int]) -> None:
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
                    trial=routed.trial,
                    other=None if routed.trial is None else self._comparing.other(stage, routed),
                ),
                # A dry run is nobody's traffic.
                for_good=not stage.dry_run,
                prompt=stage.prompt,
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
            try:
                await _translate(stage.answering, context)
            finally:  # Envoy may end the stream with the answer that is its last
                if stage.answering.unread:
                    self.failed(_unread(stage, stage.answering, now_ms))


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


def _nobody_asked(_: FailedAttempt) -> None:
    """Until somebody is to be told."""


def _unread(stage: AttemptStage, answering: Answering, began_ms: int) -> FailedAttempt:
    now_s = time.time()
    return FailedAttempt(
        stage.cluster,
        answering.status,
        None,
        None,
        at=now_s,
        took_ms=now_s * 1000 - began_ms,
        reason="can't be translated",
        request_id=stage.decision_id,
    )


def _timing(clock: Sequence[int]) -> Timing:
    came, *asked, decided = clock
    return Timing(came, asked[0], asked[1], decided) if asked else Timing(came, None, None, decided)


def _encode(step: Step, *, on_body: bool) -> bytes:
    if type(step) is Rewrite:
        return ext_proc.rewrite_message(step, on_body=on_body)
    return ext_proc.reply_message(_reply(step))


def _reply(step: Step) -> Reply:
    if type(step) is not Reply:
        raise AssertionError("a stage must end with a rewrite or a reply")
    return step
