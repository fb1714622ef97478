"""A decision and what became of it → attributes, for spans and for events."""

from __future__ import annotations

from collections.abc import Mapping

from opentelemetry.util.types import AttributeValue

from prism.routing.attempt import in_words
from prism.routing.decision import Decision, Reason, Step
from prism.routing.record import Record
from prism.telemetry import attributes as names
from prism.telemetry.told import Told

_RULES_OUT = (Step.ELIGIBLE, Step.LIMITS)
_Attributes = dict[str, AttributeValue]


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
        **_candidate(record),
    }
    return known(found)


def chat_attributes(told: Told, model: str) -> _Attributes:
    """Who answered, with what, at what cost; after OpenTelemetry's conventions for GenAI."""
    record, outcome, price = told.record, told.outcome, told.price
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
        names.CACHE_WRITE_TOKENS: outcome.cache_write_tokens,
        names.STATUS: outcome.status,
        names.ERROR: str(outcome.status or "no_answer") if failed else None,
        names.DECISION_ID: record.decision_id,
        names.ATTEMPTS: outcome.attempts,
        names.TRIED: [in_words(one) for one in outcome.tried] or None,
        names.FIRST_BYTE: outcome.first_byte_ms,
        names.TOTAL: outcome.total_ms,
        names.COST: None if price is None else price.cost_usd,
        names.BASELINE: None if price is None else price.baseline_usd,
    }
    return known(found)


def classify_attributes(record: Record) -> _Attributes:
    """What the classifier said, or why it said nothing."""
    said = record.classification
    if said is None:
        return known({names.DEGRADED: record.decision.degraded})
    return {names.SAID: said.task.value, names.CONFIDENCE: said.confidence}


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


def _candidate(record: Record) -> Mapping[str, AttributeValue | None]:
    """What the table's candidate had to do with it, where it has one."""
    if (trial := record.trial) is None:
        return {}
    other = None if record.other is None else record.other.decision
    estimate = None if other is None else other.estimate
    return {
        names.CANDIDATE: trial.candidate,
        names.CANDIDATE_GENERATION: trial.generation,
        names.CANDIDATE_APPLIED: trial.applied,
        names.OTHER_MODEL: other.models[0] if other is not None and other.models else None,
        names.OTHER_COST: None if estimate is None else estimate.cost_usd,
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


def known(found: Mapping[str, AttributeValue | None]) -> _Attributes:
    """Those that have a value."""
    return {name: value for name, value in found.items() if value is not None}
