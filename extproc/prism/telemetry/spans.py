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

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from opentelemetry.util.types import AttributeValue

from prism.otlp.v1.otlp_pb2 import Span, Status
from prism.routing.decision import Decision, Reason, Step
from prism.routing.record import Outcome, Record, Timing
from prism.telemetry import attributes as names
from prism.telemetry.encoding import add
from prism.telemetry.price import Price
from prism.wire.access_log import Trace

_SAMPLED = 1
_RULES_OUT = (Step.ELIGIBLE, Step.LIMITS)
_Attributes = dict[str, AttributeValue]


@dataclass(frozen=True, slots=True)
class Traced:
    """A sampled request that is over. ``generation`` is its table's, where that is still live."""

    trace: Trace
    record: Record
    outcome: Outcome
    price: Price | None
    generation: str | None


class Spans:
    """Makes spans. ``new_id`` gives 8 random bytes that are not all zero."""

    def __init__(self, new_id: Callable[[], bytes]) -> None:
        self._new_id = new_id

    def of(self, traced: Traced) -> Iterator[Span]:
        """All spans of a request, parents first."""
        record, timing = traced.record, traced.record.timing
        if timing is None:
            return
        refused = record.decision.refusal
        route = self._span(
            traced, "prism.route", bytes.fromhex(traced.trace.span_id), timing.came_ns
        )
        route.end_time_unix_nano = max(timing.came_ns, timing.decided_ns)
        _describe(route, route_attributes(record, traced.generation))
        if refused is not None:
            _fail(route, refused.code.value)
        yield route
        yield from self._steps(traced, route.span_id, timing)
        if refused is None:
            yield self._chat(traced, timing)

    def _steps(self, traced: Traced, route: bytes, timing: Timing) -> Iterator[Span]:
        began = timing.came_ns
        if timing.asked_ns is not None and timing.classified_ns is not None:
            asked = self._span(traced, "prism.classify", route, timing.asked_ns)
            began = max(timing.asked_ns, timing.classified_ns)
            asked.end_time_unix_nano = began
            _describe(asked, _classify_attributes(traced.record))
            yield asked
        decide = self._span(traced, "prism.decide", route, began)
        ended = decide.end_time_unix_nano = max(began, timing.decided_ns)
        for reason in traced.record.decision.reasons:
            event = decide.events.add(name="prism.reason", time_unix_nano=ended)
            add(event.attributes, names.STEP, reason.step.value)
            add(event.attributes, names.REASON, reason.text)
            if reason.model is not None:
                add(event.attributes, names.MODEL, reason.model)
        yield decide

    def _chat(self, traced: Traced, timing: Timing) -> Span:
        status = traced.outcome.status
        model = traced.outcome.model or traced.record.decision.models[0]
        gateway, began = bytes.fromhex(traced.trace.span_id), timing.decided_ns
        chat = self._span(traced, f"chat {model}", gateway, began)
        chat.kind = Span.SPAN_KIND_CLIENT
        # The clock may have been set back meanwhile.
        chat.end_time_unix_nano = max(began, traced.trace.over_ns)
        _describe(chat, chat_attributes(traced, model))
        if status is None or status >= 400:
            _fail(chat, "no answer" if status is None else str(status))
        return chat

    def _span(self, traced: Traced, name: str, parent: bytes, began: int) -> Span:
        return Span(
            trace_id=bytes.fromhex(traced.trace.trace_id),
            span_id=self._new_id(),
            parent_span_id=parent,
            flags=_SAMPLED,
            name=name,
            kind=Span.SPAN_KIND_INTERNAL,
            start_time_unix_nano=began,
        )


def _describe(span: Span, attributes: _Attributes) -> None:
    for name, value in attributes.items():
        add(span.attributes, name, value)


def _fail(span: Span, message: str) -> None:
    span.status.code = Status.STATUS_CODE_ERROR
    span.status.message = message


def route_attributes(record: Record, generation: str | None) -> _Attributes:
    """What was decided, and why."""
    decision = record.decision
    found: Mapping[str, AttributeValue | None] = {
        names.DECISION_ID: record.decision_id,
        names.SNAPSHOT: record.plan_version,
        names.TABLE: decision.table,
        names.GENERATION: generation,
        names.POLICY: decision.policy,
        names.PROJECT: decision.project,
        names.TASK: decision.task.value,
        names.MODE: decision.mode.value,
        names.CONFIDENCE: decision.confidence,
        names.DEGRADED: decision.degraded,
        names.ASKED: record.signals.model,
        names.MODELS: decision.models,
        names.RACE: decision.race,
        names.REASONS: [_line(reason) for reason in decision.reasons],
        names.RULED_OUT: _ruled_out(decision),
        names.REFUSAL: None if decision.refusal is None else decision.refusal.code.value,
        **_estimate(decision),
    }
    return _known(found)


def chat_attributes(traced: Traced, model: str) -> _Attributes:
    """Who answered, with what, at what cost; after OpenTelemetry's conventions for GenAI."""
    record, outcome, price = traced.record, traced.outcome, traced.price
    failed = outcome.status is None or outcome.status >= 400
    found: Mapping[str, AttributeValue | None] = {
        names.OPERATION: "chat",
        names.PROVIDER: outcome.provider or "unknown",
        names.REQUEST_MODEL: model,
        names.RESPONSE_MODEL: outcome.model,
        names.MAX_TOKENS: record.signals.max_output_tokens,
        names.STREAM: record.signals.stream,
        names.INPUT_TOKENS: outcome.input_tokens,
        names.OUTPUT_TOKENS: outcome.output_tokens,
        names.CACHED_TOKENS: outcome.cached_input_tokens,
        names.STATUS: outcome.status,
        names.ERROR: str(outcome.status or "no_answer") if failed else None,
        names.DECISION_ID: record.decision_id,
        names.ATTEMPTS: outcome.attempts,
        names.FIRST_BYTE: outcome.first_byte_ms,
        names.COST: None if price is None else price.cost_usd,
        names.BASELINE: None if price is None else price.baseline_usd,
    }
    return _known(found)


def _classify_attributes(record: Record) -> _Attributes:
    known = record.classification
    if known is None:
        return _known({names.DEGRADED: record.decision.degraded})
    return {names.SAID: known.task.value, names.CONFIDENCE: known.confidence}


def _estimate(decision: Decision) -> Mapping[str, AttributeValue | None]:
    estimate = decision.estimate
    if estimate is None:
        return {}
    return {
        names.ESTIMATED_INPUT: estimate.input_tokens,
        names.ESTIMATED_OUTPUT: estimate.output_tokens,
        names.ESTIMATED_COST: estimate.cost_usd,
        names.ESTIMATED_LATENCY: estimate.latency_ms,
    }


def _ruled_out(decision: Decision) -> list[str]:
    """Candidates that were not taken, and why."""
    return [
        f"{reason.model}: {reason.text}"
        for reason in decision.reasons
        if reason.model is not None and reason.step in _RULES_OUT
    ]


def _line(reason: Reason) -> str:
    about = "" if reason.model is None else f"{reason.model}: "
    return f"{reason.step.value}: {about}{reason.text}"


def _known(found: Mapping[str, AttributeValue | None]) -> _Attributes:
    return {name: value for name, value in found.items() if value is not None}
