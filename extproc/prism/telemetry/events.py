"""A decision with its outcome, and feedback on it → log events.

An event of OpenTelemetry is a log record with a name. A decision's has the attributes of the spans,
in one place and for every request, sampled or not. Feedback is an evaluation of the answer, after
https://github.com/open-telemetry/semantic-conventions-genai (``gen_ai.evaluation.result``).
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from opentelemetry.util.types import AttributeValue

from prism.otlp.v1.otlp_pb2 import SEVERITY_NUMBER_INFO, SEVERITY_NUMBER_WARN, LogRecord
from prism.telemetry import attributes as names
from prism.telemetry.describing import chat_attributes, known, route_attributes
from prism.telemetry.encoding import add_all
from prism.telemetry.spans import SAMPLED, answer_span
from prism.telemetry.told import Graded, Told

DECISION = "prism.decision"
EVALUATION = "gen_ai.evaluation.result"
FEEDBACK = "feedback"
"""The name of what is evaluated: what people and apps say of an answer."""
_FAILED = 400


def decision_event(told: Told) -> LogRecord:
    """What was decided, why, and what came of it."""
    record, outcome = told.record, told.outcome
    decision = record.decision
    well = outcome.status is not None and outcome.status < _FAILED
    event = LogRecord(
        time_unix_nano=told.over_ns,
        observed_time_unix_nano=time.time_ns(),
        event_name=DECISION,
        severity_number=SEVERITY_NUMBER_INFO if well else SEVERITY_NUMBER_WARN,
        severity_text="INFO" if well else "WARN",
    )
    event.body.string_value = _line(told)
    attributes = route_attributes(record, told.generation)
    if decision.refusal is None:
        attributes |= chat_attributes(told, outcome.model or decision.models[0])
    add_all(event.attributes, attributes)
    if told.trace is not None:
        event.trace_id = bytes.fromhex(told.trace.trace_id)
        event.span_id = bytes.fromhex(told.trace.span_id)
        event.flags = SAMPLED
    return event


def evaluation_event(graded: Graded) -> LogRecord:
    """What somebody said of an answer, below the span of that answer. The comment stays in the
    ledger: people may quote the answer in it."""
    said, subject = graded.said, graded.subject
    event = LogRecord(
        time_unix_nano=graded.time_ns,
        observed_time_unix_nano=time.time_ns(),
        event_name=EVALUATION,
        severity_number=SEVERITY_NUMBER_INFO,
        severity_text="INFO",
    )
    event.body.string_value = f"feedback {said.score:g} on {said.decision_id}"
    found: Mapping[str, AttributeValue | None] = {
        names.EVALUATION: FEEDBACK,
        names.SCORE: float(said.score),
        names.FEEDBACK_ID: said.feedback_id,
        names.LABELS: [f"{name}={text}" for name, text in (said.labels or {}).items()],
        names.DECISION_ID: said.decision_id,
        names.PROJECT: subject.project,
        names.TASK: subject.task,
        names.MODE: subject.mode,
        names.RESPONSE_MODEL: subject.model,
    }
    add_all(event.attributes, known(found))
    if subject.trace_id is not None:
        event.trace_id = bytes.fromhex(subject.trace_id)
        event.span_id = answer_span(said.decision_id)
        event.flags = SAMPLED
    return event


def _line(told: Told) -> str:
    """For people who read logs: where it went, and how it ended."""
    decision, outcome = told.record.decision, told.outcome
    where = f"{decision.task.value}, {decision.mode.value}"
    if decision.refusal is not None:
        return f"{where}: refused, {decision.refusal.code.value}"
    if outcome.model is None:
        return f"{where}: no model answered, {outcome.status or 'no status'}"
    return f"{where}: {outcome.model} answered {outcome.status or 'no status'}"
