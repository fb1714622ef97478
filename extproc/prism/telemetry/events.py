"""A decision with its outcome → one log event, for those who keep logs elsewhere.

An event of OpenTelemetry is a log record with a name. It has the attributes of the spans, in one
place and for every request, sampled or not.
"""

from __future__ import annotations

import time

from prism.otlp.v1.otlp_pb2 import SEVERITY_NUMBER_INFO, SEVERITY_NUMBER_WARN, LogRecord
from prism.telemetry.describing import chat_attributes, route_attributes
from prism.telemetry.encoding import add_all
from prism.telemetry.spans import SAMPLED
from prism.telemetry.told import Told

DECISION = "prism.decision"
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


def _line(told: Told) -> str:
    """For people who read logs: where it went, and how it ended."""
    decision, outcome = told.record.decision, told.outcome
    where = f"{decision.task.value}, {decision.mode.value}"
    if decision.refusal is not None:
        return f"{where}: refused, {decision.refusal.code.value}"
    if outcome.model is None:
        return f"{where}: no model answered, {outcome.status or 'no status'}"
    return f"{where}: {outcome.model} answered {outcome.status or 'no status'}"
