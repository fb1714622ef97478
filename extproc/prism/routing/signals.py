"""What a decision knows of a request: no prompt text, only what it needs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from prism.routing.bounds import Limits
from prism.routing.catalog import Api, Capability, Mode, Task

NONE_BARRED: Mapping[Api, str] = MappingProxyType({})
"""Whatever API a model's provider speaks, it may take the request."""


@dataclass(frozen=True, slots=True, eq=False)
class Hidden:
    """What the classifier's last layer read of a prompt: a row of numbers, of type float32.

    ``classifier`` is the SHA-256 of its model file. It is never recorded: what a predictor
    makes of it is.
    """

    classifier: str
    values: memoryview


@dataclass(frozen=True, slots=True)
class Corrections:
    """What a predictor adds to the qualities that the table has, by model, for one prompt.
    ``predictor`` is the digest of the one that said so."""

    predictor: str
    by_model: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Classification:
    """The classifier's answer. ``probabilities`` sum to 1; ``confidence`` is the top one's,
    calibrated. ``hidden`` becomes ``corrections`` where the table has a predictor."""

    task: Task
    confidence: float
    probabilities: Mapping[Task, float]
    corrections: Corrections | None = None
    hidden: Hidden | None = field(default=None, compare=False, repr=False)

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
    ``conversation`` is the hash that tells one from another, ``None`` where the request is of
    none. ``tools_at_work``: it brings results of tools that the model asked for in this turn.
    ``sealed``: it brings reasoning that only the provider that wrote it can read.
    ``counts``: its tokens are to be counted, and nothing is to be written.
    ``barred`` says why models can't take the request whose provider speaks that API.
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
    conversation: str | None = None
    tools_at_work: bool = False
    sealed: bool = False
    counts: bool = False
    barred: Mapping[Api, str] = field(default_factory=lambda: NONE_BARRED)
