"""What is kept of a request: the inputs of its decision, the decision and the outcome.

A record holds no prompt text. It holds every input of the decision, so that it can be
decided again: under the unchanged plan with the same result, under another plan to see
what a change would have done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple

from prism.routing.attempt import Attempt
from prism.routing.budget import NOTHING_SPENT, Spending
from prism.routing.cost import cost_usd
from prism.routing.decide import Health, decide
from prism.routing.decision import Decision
from prism.routing.identify import Caller
from prism.routing.jsonform import (
    classification_from_json,
    classification_to_json,
    decision_from_json,
    decision_to_json,
    held_from_json,
    held_to_json,
    signals_from_json,
    signals_to_json,
    spending_from_json,
    spending_to_json,
)
from prism.routing.other import Other, other_of
from prism.routing.plan import Plan
from prism.routing.signals import Classification, Signals
from prism.routing.sticking import Held
from prism.routing.trial import Trial


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a decision; ``None`` is what is not known (yet).

    ``status`` is HTTP's, as the client saw it. ``provider`` and ``model`` are those that
    really answered. ``note`` says why Prism ended the attempts, where it did. Tokens are
    the provider's count, ``cached_input_tokens`` and ``cache_write_tokens`` being parts of
    ``input_tokens``. Times are milliseconds since the request came in. ``trace_id`` is that of a
    sampled request, in hex. ``tried`` is each attempt, where there were several or one failed.
    """

    status: int | None = None
    provider: str | None = None
    model: str | None = None
    attempts: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_input_tokens: int | None = None
    first_byte_ms: float | None = None
    total_ms: float | None = None
    note: str | None = None
    cache_write_tokens: int | None = None
    trace_id: str | None = None
    tried: tuple[Attempt, ...] = ()

    def to_json_dict(self) -> dict[str, Any]:
        """What is known, ready for ``json.dumps``."""
        values = {key: getattr(self, name) for name, key in _OUTCOME_KEYS.items()}
        known = {key: value for key, value in values.items() if value is not None}
        if self.tried:
            known["tried"] = [one.to_json_dict() for one in self.tried]
        return known

    @classmethod
    def from_json_dict(cls, data: Mapping[str, Any]) -> Outcome:
        """The outcome that ``to_json_dict`` was called on; unknown names are ignored."""
        known = {name: data.get(key) for name, key in _OUTCOME_KEYS.items()}
        tried = tuple([Attempt.from_json_dict(one) for one in data.get("tried", ())])
        return cls(**known, tried=tried)


_OUTCOME_KEYS = {
    "status": "status",
    "provider": "provider",
    "model": "model",
    "attempts": "attempts",
    "input_tokens": "inputTokens",
    "output_tokens": "outputTokens",
    "cached_input_tokens": "cachedInputTokens",
    "cache_write_tokens": "cacheWriteTokens",
    "first_byte_ms": "firstByteMs",
    "total_ms": "totalMs",
    "note": "note",
    "trace_id": "traceId",
}


class Timing(NamedTuple):
    """When Prism did what for a request, in nanoseconds since the epoch.

    From ``asked_ns`` to ``classified_ns`` the classifier was waited for; both are ``None``
    where it was not asked. ``decided_ns`` is when the answer for Envoy was there.
    """

    came_ns: int
    asked_ns: int | None
    classified_ns: int | None
    decided_ns: int


@dataclass(frozen=True, slots=True)
class Record:
    """One decision with its inputs and, once known, its outcome.

    ``time`` is in seconds since the epoch. ``plan_version`` is the version of the plan
    that decided. ``health``, ``race_allowed``, ``retry_allowed``, ``spending`` and ``held`` are
    those given to ``decide``. ``timing`` is no input of the decision. Where the table has a
    candidate, ``trial`` says which of the two decided, and ``other`` what the other one would have.
    """

    decision_id: str
    time: float
    plan_version: str
    signals: Signals
    classification: Classification | None
    health: Health
    race_allowed: bool
    decision: Decision
    outcome: Outcome | None = None
    retry_allowed: bool = True
    spending: Spending = field(default_factory=lambda: NOTHING_SPENT)
    held: Held | None = None
    timing: Timing | None = None
    trial: Trial | None = None
    other: Other | None = None

    def to_json_dict(self) -> dict[str, Any]:
        """All of it, ready for ``json.dumps``."""
        known = self.classification
        return {
            "decisionId": self.decision_id,
            "time": self.time,
            "planVersion": self.plan_version,
            "signals": signals_to_json(self.signals),
            "classification": None if known is None else classification_to_json(known),
            "failing": sorted(self.health.failing),
            "firstTokenMs": dict(self.health.first_token_ms),
            "probed": sorted(self.health.probed),
            "raceAllowed": self.race_allowed,
            "retryAllowed": self.retry_allowed,
            "spending": spending_to_json(self.spending),
            "held": held_to_json(self.held),
            "decision": decision_to_json(self.decision),
            "outcome": None if self.outcome is None else self.outcome.to_json_dict(),
            "timing": None if self.timing is None else self.timing._asdict(),
            "trial": None if self.trial is None else asdict(self.trial),
            "other": None if self.other is None else self.other.to_json_dict(),
        }

    @classmethod
    def from_json_dict(cls, data: Mapping[str, Any]) -> Record:
        """The record that ``to_json_dict`` was called on.

        Raises:
            KeyError: a member is missing.
            ValueError: a task, mode, capability, step or code does not exist.
        """
        known, outcome = data["classification"], data.get("outcome")
        timing, trial, other = data.get("timing"), data.get("trial"), data.get("other")
        return cls(
            decision_id=data["decisionId"],
            time=data["time"],
            plan_version=data["planVersion"],
            signals=signals_from_json(data["signals"]),
            classification=None if known is None else classification_from_json(known),
            health=Health(
                frozenset(data["failing"]),
                data.get("firstTokenMs", {}),
                frozenset(data.get("probed", ())),
            ),
            race_allowed=data["raceAllowed"],
            decision=decision_from_json(data["decision"]),
            outcome=None if outcome is None else Outcome.from_json_dict(outcome),
            retry_allowed=data.get("retryAllowed", True),
            spending=spending_from_json(data.get("spending", ())),
            held=held_from_json(data.get("held")),
            timing=None if timing is None else Timing(**timing),
            trial=None if trial is None else Trial(**trial),
            other=None if other is None else Other.from_json_dict(other),
        )


def spent_usd(plan: Plan, table: str, outcome: Outcome) -> float | None:
    """US dollars that an answer cost by the prices of ``table`` in ``plan``; ``None`` where the
    model or its tokens are not known."""
    found = plan.tables.get(table)
    model = None if found is None else found.models.get(outcome.model or "")
    if model is None or outcome.input_tokens is None:
        return None
    return cost_usd(
        model.price,
        outcome.input_tokens,
        # Embeddings have no output.
        outcome.output_tokens or 0,
        outcome.cached_input_tokens or 0,
        outcome.cache_write_tokens or 0,
    )


def replay(plan: Plan, record: Record) -> Decision:
    """The decision that ``plan`` makes of the record's inputs.

    Raises:
        LookupError: the record's table or policy is not in ``plan``, or the policy has
            moved to another table.
    """
    then = record.decision
    return decide(
        plan,
        _caller(plan, record),
        record.signals,
        record.classification,
        record.health,
        degraded=then.degraded,
        race_allowed=record.race_allowed,
        retry_allowed=record.retry_allowed,
        spending=record.spending,
        held=record.held,
        trial=record.trial,
    )


def replay_other(plan: Plan, record: Record) -> Other | None:
    """What ``plan`` makes of the inputs of the decision that was not applied; ``None`` where there
    was none. Raises as ``replay`` does."""
    trial, then = record.trial, record.other
    if trial is None or then is None:
        return None
    known = record.classification
    if known is not None:
        known = replace(known, corrections=then.corrections)
    return other_of(
        plan,
        trial,
        record.decision,
        _caller(plan, record),
        record.signals,
        known,
        record.decision.degraded,
        record.health,
        record.spending,
        then.held,
        lambda _: then.barred,
    )


def _caller(plan: Plan, record: Record) -> Caller:
    then, trial = record.decision, record.trial
    table = plan.tables.get(then.table)
    policy = None if then.policy is None else plan.policies.get(then.policy)
    own = then.table if trial is None else trial.table
    if (
        table is None
        or (policy is None) != (then.policy is None)
        or (policy is not None and policy.table != own)
        or (trial is not None and not {own, trial.candidate} <= plan.tables.keys())
    ):
        raise LookupError(f"no table {then.table!r} with policy {then.policy!r} in this plan")
    return Caller(policy, table)
