"""The route stage for requests that come in one message: headers beside the body, one answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from prism.exchange import answers
from prism.exchange.route import RouteStage
from prism.exchange.steps import Classify, Proceed, Reply, Rewrite, Step, Submit
from prism.exchange.targets import Live
from prism.serve.classifying import Answer
from prism.serve.decision_id import new_decision_id
from prism.serve.failing import NOT_YET, fail
from prism.serve.processor import Processor
from prism.serve.turns import Turns
from prism.wire import ext_proc


class _Request:
    """One request; ``clock`` is as in ``Processor.remember``, and begins as it comes.

    ``step`` is where it has got to, ``said`` what the classifier said on the way, ``doubted`` what
    it said where it is to have a second look. ``answer`` is there at the end, ``error`` where
    something of ours failed. ``taken_up`` ends when it was.
    """

    __slots__ = (
        "answer", "clock", "doubted", "error", "live", "message", "said", "stage", "step",
        "taken_up",
    )  # fmt: skip

    def __init__(self, live: Live, message: Any, taken_up: asyncio.Future[None]) -> None:
        self.live = live
        self.message = message
        self.clock = [time.time_ns()]
        self.stage: RouteStage
        self.step: Step | None = None
        self.said: Answer | None = None
        self.doubted: Answer | None = None
        self.answer: bytes | None = None
        self.error: Exception | None = None
        self.taken_up = taken_up


class SmallRequests:
    """Answers requests; those that come together are taken up together, step by step."""

    def __init__(self, processor: Processor) -> None:
        self._processor = processor
        self._turns = Turns(self._take_up)

    async def answer(self, message: Any, context: Any) -> bytes:
        """The answer to a message, which is ``None`` where its headers can't be read."""
        live = self._processor.live
        if live is None:
            await context.abort(*NOT_YET)
            raise AssertionError("abort raises")
        if message is None:
            decision_id = new_decision_id(time.time_ns())
            return ext_proc.reply_message(answers.bad_headers(decision_id))
        request = _Request(live, message, asyncio.get_running_loop().create_future())
        self._turns.add(request)
        await request.taken_up
        if request.answer is None and request.error is None:
            await self._finish(request)
        if request.error is not None:
            await fail(request.error, context)
        if request.answer is None:
            raise AssertionError("a request that did not fail has an answer")
        return request.answer

    def _take_up(self, requests: Sequence[_Request]) -> None:
        # Nobody waits any more for one that is done already.
        here = [request for request in requests if not request.taken_up.done()]
        for request in here:
            self._begin(request)
        for request in self._classified(here):
            self._decide(request)
        for request in here:
            request.taken_up.set_result(None)
        # Envoy need not wait for what only the console and replays read. Those that have no answer
        # yet are remembered when they have.
        answered = [request for request in here if request.answer is not None]
        asyncio.get_running_loop().call_soon(self._remember, answered)

    def _begin(self, request: _Request) -> None:
        try:
            decision_id = new_decision_id(request.clock[0])
            stage = request.stage = self._processor.route_stage(request.live, decision_id)
            step: Step = stage.on_headers(ext_proc.headers_at_once(request.message))
            if type(step) is Proceed:
                step = stage.on_body(request.message.request_body.body)
            self._go_on(request, step)
        except Exception as error:
            request.error = error

    def _classified(self, here: Sequence[_Request]) -> list[_Request]:
        """Those of them that the classifier has said something of; it is asked once for all."""
        asked = [(request, request.step.text) for request in here if type(request.step) is Classify]
        if not asked:
            return []
        began = time.time_ns()
        try:
            said = self._processor.asks.at_once([text for _, text in asked])
        except Exception as error:
            for request, _ in asked:
                request.error = error
            return []
        clock = (began, time.time_ns())
        for (request, _), (answer, stands) in zip(asked, said, strict=True):
            request.clock += clock
            if stands:
                request.said = answer
            else:
                request.doubted = answer
        return [request for request, _ in asked if request.said is not None]

    def _decide(self, request: _Request) -> None:
        try:
            stage, said = request.stage, request.said
            if said is not None:
                # The one before it may have been raced, and counts.
                stage.races = self._processor.races.now()
                self._go_on(request, stage.on_classified(*said))
        except Exception as error:
            request.error = error

    def _go_on(self, request: _Request, step: Step) -> None:
        """Encode the answer and count the request, where the step is its last."""
        request.step = step
        if type(step) is Rewrite:
            request.answer = ext_proc.rewrite_at_once(step)
        elif type(step) is Reply:
            request.answer = ext_proc.reply_message(step)
        else:
            return
        self._processor.charge(request.stage, step)
        request.clock.append(time.time_ns())

    async def _finish(self, request: _Request) -> None:
        """What has to be waited for: the classifier's second look, a database."""
        processor = self._processor
        try:
            if type(request.step) is Classify and request.doubted is not None:
                step = request.step
                request.said = await processor.second(step, request.doubted, request.clock)
                self._decide(request)
            if type(request.step) is Submit:
                self._go_on(request, await processor.submitted(request.stage, request.step))
            asyncio.get_running_loop().call_soon(self._remember, (request,))
        except Exception as error:
            request.error = error

    def _remember(self, requests: Sequence[_Request]) -> None:
        for request in requests:
            self._processor.remember(request.stage, request.clock)
