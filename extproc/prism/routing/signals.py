"""What a decision knows of a request: no prompt text, only what it needs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from prism.routing.catalog import Capability, Limits, Mode, Task


@dataclass(frozen=True, slots=True)
class Classification:
    """The classifier's answer. ``probabilities`` sum to 1; ``confidence`` is the top one's,
    calibrated."""

    task: Task
    confidence: float
    probabilities: Mapping[Task, float]

    def unsure(self, below: float, on: Collection[Task]) -> bool:
        """Whether to abstain: the task is one of ``on`` with less than ``below`` confidence.

        A confidence that is no number is always unsure.
        """
        # Asked this way round, since what is no number compares false.
        return not self.confidence >= (below if self.task in on else 0.0)


@dataclass(frozen=True, slots=True)
class Signals:
    """One request, reduced to what the decision reads.

    ``model`` is the request's ``model`` value. ``pin`` is the model asked for by header or
    kwarg, if any. ``mode`` is the one the caller declared, if any. ``limits`` are the
    caller's. ``input_tokens`` is an estimate; ``max_output_tokens`` is the caller's ceiling.
    ``needs`` are the capabilities without which the answer would fail. ``acts_at_provider``
    says that answering does something at the provider's side that must not be done twice.
    """

    model: str
    pin: str | None
    mode: Mode | None
    limits: Limits
    needs: frozenset[Capability]
    input_tokens: int
    max_output_tokens: int | None
    stream: bool
    acts_at_provider: bool = False
