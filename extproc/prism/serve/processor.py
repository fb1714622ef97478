"""ext_proc: carries messages between Envoy and the stages. This is the hot path."""

from __future__ import annotations

import logging
import os
import time
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import grpc

from prism.envoy.names import ATTEMPT_STAGE, STAGE
from prism.exchange.attempt import AttemptStage
from prism.exchange.route import RouteStage
from prism.exchange.steps import Classify, Proceed, Rewrite, Step
from prism.exchange.targets import Live
from prism.routing.record import Record
from prism.serve.classifying import Answer
from prism.serve.health import HealthTracker
from prism.serve.recent import Recent
from prism.wire import ext_proc

log = logging.getLogger(__name__)

_EOF = grpc.aio.EOF
Ask = Callable[[str, float], Awaitable[Answer]]


class Processor:
    """The ext_proc service. ``live`` is replaced whole when the configuration changes."""

    def __init__(self, ask: Ask, health: HealthTracker, recent: Recent) -> None:
        self.live: Live | None = None
        self._ask = ask
        self._health = health
        self._recent = recent

    async def process(self, _: object, context: Any) -> None:
        """One stream: one request at one stage."""
        live = self.live
        if live is None:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "no configuration yet")
            return
        try:
            if (STAGE, ATTEMPT_STAGE) in context.invocation_metadata():
                await self._attempt(live, context)
            else:
                await self._route(live, context)
        except (grpc.aio.AbortError, grpc.aio.UsageError, grpc.RpcError):
            raise
        except Exception as error:
            # The message of an error could hold a prompt: say only what and where.
            where = traceback.extract_tb(error.__traceback__)[-1]
            log.error("%s at %s:%s", type(error).__name__, where.filename, where.lineno)
            await context.abort(grpc.StatusCode.INTERNAL, "internal error")

    async def _route(self, live: Live, context: Any) -> None:
        message = await context.read()
        if message is _EOF:
            return
        decision_id = new_decision_id()
        health = self._health.now()
        stage = RouteStage(live, health, decision_id)
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
            classification, degraded = await self._ask(step.text, step.deadline_ms)
            step = stage.on_classified(classification, degraded)
        await context.write(_encode(step, on_body=on_body))
        if (routed := stage.routed) is not None:
            self._recent.add(
                Record(
                    decision_id=decision_id,
                    time=time.time(),
                    plan_version=live.version,
                    signals=routed.signals,
                    classification=routed.classification,
                    health=health,
                    race_allowed=False,
                    decision=routed.decision,
                )
            )

    async def _attempt(self, live: Live, context: Any) -> None:
        message = await context.read()
        if message is _EOF:
            return
        stage = AttemptStage(live)
        step: Step = stage.on_headers(ext_proc.headers_event(message))
        if type(step) is not Proceed:
            await context.write(_encode(step, on_body=False))
            return
        await context.write(ext_proc.PROCEED_HEADERS)
        message = await context.read()
        if message is _EOF:
            return
        await context.write(_encode(stage.on_body(message.request_body.body), on_body=True))


def new_decision_id() -> str:
    """Sorts by time: 12 hex digits of milliseconds since the epoch, then 64 random bits."""
    return f"{time.time_ns() // 1_000_000:012x}{os.urandom(8).hex()}"


def _encode(step: Step, *, on_body: bool) -> bytes:
    if type(step) is Rewrite:
        return ext_proc.rewrite_message(step, on_body=on_body)
    if type(step) is Proceed or type(step) is Classify:
        raise AssertionError("a stage must end with a rewrite or a reply")
    return ext_proc.reply_message(step)  # type: ignore[arg-type]
