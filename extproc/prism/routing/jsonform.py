"""Signals, classifications and decisions as JSON values, and back.

Names are camelCase, as in the resources. Sets become sorted lists, so that one value has
one text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from prism.routing.bounds import Limits, Period, WhenSpent
from prism.routing.budget import Spending, Spent
from prism.routing.catalog import Api, Capability, Mode, Task
from prism.routing.decision import Decision, ErrorCode, Estimate, Reason, Refusal, Step
from prism.routing.signals import Classification, Corrections, Signals
from prism.routing.sticking import Held


def signals_to_json(signals: Signals) -> dict[str, Any]:
    """``signals`` ready for ``json.dumps``; limits that bound nothing are left out."""
    limits = signals.limits
    bounds = {
        "maxCost": limits.max_cost,
        "minQuality": limits.min_quality,
        "maxLatencyMs": limits.max_latency_ms,
    }
    return {
        "model": signals.model,
        "pin": signals.pin,
        "mode": signals.mode,
        "limits": {name: value for name, value in bounds.items() if value is not None},
        "needs": sorted(signals.needs),
        "inputTokens": signals.input_tokens,
        "maxOutputTokens": signals.max_output_tokens,
        "stream": signals.stream,
        "actsAtProvider": signals.acts_at_provider,
        "conversation": signals.conversation,
        "toolsAtWork": signals.tools_at_work,
        "sealed": signals.sealed,
        "counts": signals.counts,
        "barred": {api.value: why for api, why in signals.barred.items()},
    }


def signals_from_json(data: Mapping[str, Any]) -> Signals:
    """The signals that ``signals_to_json`` was given."""
    mode, limits = data["mode"], data["limits"]
    return Signals(
        model=data["model"],
        pin=data["pin"],
        mode=None if mode is None else Mode(mode),
        limits=Limits(limits.get("maxCost"), limits.get("minQuality"), limits.get("maxLatencyMs")),
        needs=frozenset(Capability(need) for need in data["needs"]),
        input_tokens=data["inputTokens"],
        max_output_tokens=data["maxOutputTokens"],
        stream=data["stream"],
        acts_at_provider=data.get("actsAtProvider", False),
        conversation=data.get("conversation"),
        tools_at_work=data.get("toolsAtWork", False),
        sealed=data.get("sealed", False),
        counts=data.get("counts", False),
        barred={Api(api): why for api, why in data.get("barred", {}).items()},
    )


def classification_to_json(classification: Classification) -> dict[str, Any]:
    """``classification`` ready for ``json.dumps``."""
    said: dict[str, Any] = {
        "task": classification.task,
        "confidence": classification.confidence,
        "probabilities": dict(classification.probabilities),
    }
    if classification.corrections is not None:
        said["corrections"] = corrections_to_json(classification.corrections)
    return said


def classification_from_json(data: Mapping[str, Any]) -> Classification:
    """The classification that ``classification_to_json`` was given."""
    probabilities = {Task(task): share for task, share in data["probabilities"].items()}
    found = data.get("corrections")
    corrections = None if found is None else corrections_from_json(found)
    return Classification(Task(data["task"]), data["confidence"], probabilities, corrections)


def corrections_to_json(corrections: Corrections) -> dict[str, Any]:
    """``corrections`` ready for ``json.dumps``."""
    return {"predictor": corrections.predictor, "byModel": dict(corrections.by_model)}


def corrections_from_json(data: Mapping[str, Any]) -> Corrections:
    """The corrections that ``corrections_to_json`` was given."""
    return Corrections(data["predictor"], data["byModel"])


def held_to_json(held: Held | None) -> dict[str, Any] | None:
    """What was remembered of a conversation, ready for ``json.dumps``."""
    if held is None:
        return None
    return {"model": held.model, "mode": held.mode, "ageSeconds": held.age_s}


def held_from_json(data: Mapping[str, Any] | None) -> Held | None:
    """What ``held_to_json`` was given."""
    return None if data is None else Held(data["model"], Mode(data["mode"]), data["ageSeconds"])


def decision_to_json(decision: Decision) -> dict[str, Any]:
    """``decision`` ready for ``json.dumps``."""
    estimate, refusal = decision.estimate, decision.refusal
    return {
        "table": decision.table,
        "policy": decision.policy,
        "project": decision.project,
        "task": decision.task,
        "mode": decision.mode,
        "confidence": decision.confidence,
        "degraded": decision.degraded,
        "models": list(decision.models),
        "race": decision.race,
        "estimate": None if estimate is None else _estimate_to_json(estimate),
        "reasons": [_reason_to_json(reason) for reason in decision.reasons],
        "refusal": None if refusal is None else _refusal_to_json(refusal),
    }


def decision_from_json(data: Mapping[str, Any]) -> Decision:
    """The decision that ``decision_to_json`` was given."""
    estimate, refusal = data["estimate"], data["refusal"]
    return Decision(
        table=data["table"],
        policy=data["policy"],
        project=data["project"],
        task=Task(data["task"]),
        mode=Mode(data["mode"]),
        confidence=data["confidence"],
        degraded=data["degraded"],
        models=tuple(data["models"]),
        race=data["race"],
        estimate=None if estimate is None else _estimate_from_json(estimate),
        reasons=tuple(
            Reason(Step(item["step"]), item["text"], item.get("model")) for item in data["reasons"]
        ),
        refusal=None if refusal is None else _refusal_from_json(refusal),
    )


def _reason_to_json(reason: Reason) -> dict[str, Any]:
    about = {} if reason.model is None else {"model": reason.model}
    return {"step": reason.step, "text": reason.text, **about}


def _estimate_to_json(estimate: Estimate) -> dict[str, Any]:
    return {
        "inputTokens": estimate.input_tokens,
        "outputTokens": estimate.output_tokens,
        "costUsd": estimate.cost_usd,
        "latencyMs": estimate.latency_ms,
    }


def _estimate_from_json(data: Mapping[str, Any]) -> Estimate:
    return Estimate(data["inputTokens"], data["outputTokens"], data["costUsd"], data["latencyMs"])


def _refusal_to_json(refusal: Refusal) -> dict[str, Any]:
    said = {"status": refusal.status, "code": refusal.code, "message": refusal.message}
    again = refusal.retry_after_s
    return said if again is None else {**said, "retryAfterS": again}


def _refusal_from_json(data: Mapping[str, Any]) -> Refusal:
    code = ErrorCode(data["code"])
    return Refusal(data["status"], code, data["message"], data.get("retryAfterS"))


def spending_to_json(spending: Spending) -> list[dict[str, Any]]:
    """``spending`` ready for ``json.dumps``."""
    return [
        {
            "period": period,
            "action": action,
            "usd": spent.usd,
            "room": spent.room,
            "known": spent.known,
            "resetsAt": spent.resets_at,
            "resetsInS": spent.resets_in_s,
        }
        for (period, action), spent in spending.items()
    ]


def spending_from_json(data: Sequence[Mapping[str, Any]]) -> Spending:
    """The spending that ``spending_to_json`` was given."""
    return {
        (Period(item["period"]), WhenSpent(item["action"])): Spent(
            item["usd"], item["room"], item["known"], item["resetsAt"], item["resetsInS"]
        )
        for item in data
    }
