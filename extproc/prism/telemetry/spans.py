"""A record and what became of it → the spans that Prism adds to a request's trace.

Made after the request is over, with the times that were read on its way::

    POST                     Envoy, the whole request
    ├─ prism.route           from the request's coming in to its decision
    │  ├─ prism.classify     the wait for the classifier
    │  └─ prism.decide       with an event for each reason
    ├─ attempt               Envoy, one for each attempt
    └─ chat MODEL            from the decision to the end of the answer: usage and cost
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import blake2b

from prism.otlp.v1.otlp_pb2 import Span, Status
from prism.routing.record import Record, Timing
from prism.telemetry import attributes as names
from prism.telemetry.describing import chat_attributes, classify_attributes, route_attributes
from prism.telemetry.encoding import add, add_all
from prism.telemetry.told import Told
from prism.wire.gateway_log import Trace

SAMPLED = 1
"""The flag of a sampled trace."""


class Spans:
    """Makes spans. ``new_id`` gives 8 random bytes that are not all zero."""

    def __init__(self, new_id: Callable[[], bytes]) -> None:
        self._new_id = new_id

    def of(self, told: Told) -> Iterator[Span]:
        """All spans of a request, parents first; none of one that is not sampled."""
        record, trace, timing = told.record, told.trace, told.record.timing
        if timing is None or trace is None:
            return
        refused = record.decision.refusal
        route = self._span(trace, "prism.route", bytes.fromhex(trace.span_id), timing.came_ns)
        route.end_time_unix_nano = max(timing.came_ns, timing.decided_ns)
        add_all(route.attributes, route_attributes(record, told.generation))
        if refused is not None:
            _fail(route, refused.code.value)
        yield route
        yield from self._steps(record, trace, route.span_id, timing)
        if refused is None:
            yield self._chat(told, trace, timing)

    def _steps(self, record: Record, trace: Trace, route: bytes, timing: Timing) -> Iterator[Span]:
        began = timing.came_ns
        if timing.asked_ns is not None and timing.classified_ns is not None:
            asked = self._span(trace, "prism.classify", route, timing.asked_ns)
            began = max(timing.asked_ns, timing.classified_ns)
            asked.end_time_unix_nano = began
            add_all(asked.attributes, classify_attributes(record))
            yield asked
        decide = self._span(trace, "prism.decide", route, began)
        ended = decide.end_time_unix_nano = max(began, timing.decided_ns)
        for reason in record.decision.reasons:
            event = decide.events.add(name="prism.reason", time_unix_nano=ended)
            add(event.attributes, names.STEP, reason.step.value)
            add(event.attributes, names.REASON, reason.text)
            if reason.model is not None:
                add(event.attributes, names.MODEL, reason.model)
        yield decide

    def _chat(self, told: Told, trace: Trace, timing: Timing) -> Span:
        status = told.outcome.status
        model = told.outcome.model or told.record.decision.models[0]
        gateway, began = bytes.fromhex(trace.span_id), timing.decided_ns
        chat = self._span(trace, f"chat {model}", gateway, began)
        chat.span_id = answer_span(told.record.decision_id)
        chat.kind = Span.SPAN_KIND_CLIENT
        # The clock may have been set back meanwhile.
        chat.end_time_unix_nano = max(began, told.over_ns)
        add_all(chat.attributes, chat_attributes(told, model))
        if status is None or status >= 400:
            _fail(chat, "no answer" if status is None else str(status))
        return chat

    def _span(self, trace: Trace, name: str, parent: bytes, began: int) -> Span:
        return Span(
            trace_id=bytes.fromhex(trace.trace_id),
            span_id=self._new_id(),
            parent_span_id=parent,
            flags=SAMPLED,
            name=name,
            kind=Span.SPAN_KIND_INTERNAL,
            start_time_unix_nano=began,
        )


def answer_span(decision_id: str) -> bytes:
    """The id of the span of a decision's answer. It follows from the decision's, so that what is
    said of the answer weeks later still meets it."""
    return blake2b(decision_id.encode(), digest_size=8).digest()


def _fail(span: Span, message: str) -> None:
    span.status.code = Status.STATUS_CODE_ERROR
    span.status.message = message
