"""The outcome of a decision: the models to try, in order, and every reason why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from prism.routing.catalog import Mode, Task


class Step(StrEnum):
    """The step of the decision order that gave a reason; the order is the declaration's."""

    PROJECT = "project"
    TABLE = "table"
    BUDGET = "budget"
    CLASSIFY = "classify"
    ELIGIBLE = "eligible"
    FORCED = "forced"
    PIN = "pin"
    CELL = "cell"
    LIMITS = "limits"
    HEALTH = "health"
    CONVERSATION = "conversation"
    ATTEMPTS = "attempts"


class ErrorCode(StrEnum):
    """Why no model could be chosen; ``code`` of the OpenAI-style error."""

    MODEL_NOT_FOUND = "model_not_found"
    PIN_NOT_ALLOWED = "pin_not_allowed"
    MODEL_NOT_ALLOWED = "model_not_allowed"
    NO_ELIGIBLE_MODEL = "no_eligible_model"
    BUDGET_SPENT = "budget_spent"
    BUDGET_UNKNOWN = "budget_unknown"


@dataclass(frozen=True, slots=True)
class Reason:
    """One line of the trace: which step said what, of which model where it is about one."""

    step: Step
    text: str
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the first model is expected to need: tokens, US dollars, milliseconds."""

    input_tokens: int
    output_tokens: int
    cost_usd: float
    latency_ms: float


@dataclass(frozen=True, slots=True)
class Refusal:
    """No model is left. ``message`` tells the client what to do; ``status`` is HTTP's.
    ``retry_after_s`` is in how many seconds the same request may be answered, where known."""

    status: int
    code: ErrorCode
    message: str
    retry_after_s: int | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """Models to try in order (empty exactly when ``refusal`` is set), and why.

    ``task`` is the class that the cell was looked up for; ``confidence`` is ``None`` where
    no classifier was asked. ``degraded`` says that the safe cell was taken because the
    classifier failed, was late or abstained. ``race`` says that the second model is to be
    started without waiting for the first to fail.
    """

    table: str
    policy: str | None
    project: str | None
    task: Task
    mode: Mode
    confidence: float | None
    degraded: str | None
    models: tuple[str, ...]
    race: bool
    estimate: Estimate | None
    reasons: tuple[Reason, ...]
    refusal: Refusal | None
