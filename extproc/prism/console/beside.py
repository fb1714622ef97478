"""What a table and its candidate chose of the same requests, as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from prism.calibrate.changes import Changes
from prism.ledger.trials import TrialSums
from prism.routing.catalog import Table

ALL = "all"
"""All tasks together."""


@dataclass(frozen=True, slots=True)
class Score:
    """What people said: the mean (0 to 1) of ``count`` answers, ``low`` to ``high`` with 95 %."""

    count: int
    mean: float
    low: float
    high: float


@dataclass(slots=True)
class Beside:
    """Decisions as both made them. US dollars are of the answers whose tokens are known, by the
    table's choice and by the candidate's; qualities are sums over the ``graded`` ones."""

    requests: int = 0
    differ: int = 0
    priced: int = 0
    cost: float = 0.0
    candidate_cost: float = 0.0
    graded: int = 0
    quality: float = 0.0
    candidate_quality: float = 0.0
    examples: list[str] = field(default_factory=list)

    @property
    def share(self) -> float:
        """Of the decisions, those in which the candidate chose another model."""
        return self.differ / self.requests if self.requests else 0.0

    @property
    def cost_change(self) -> float | None:
        """How much more the candidate's choice costs, as a share."""
        return self.candidate_cost / self.cost - 1 if self.cost else None

    @property
    def means(self) -> tuple[float, float] | None:
        """The expected quality by the table's choice and by the candidate's."""
        if not self.graded:
            return None
        return self.quality / self.graded, self.candidate_quality / self.graded


@dataclass(slots=True)
class Arm:
    """Requests that one of the two decided: all of it measured. ``score`` is what people said."""

    requests: int = 0
    failed: int = 0
    priced: int = 0
    cost: float = 0.0
    timed: int = 0
    total_ms: float = 0.0
    score: Score | None = None

    def add(self, sums: TrialSums) -> None:
        """Count those, too."""
        self.requests += sums.requests
        self.failed += sums.failed
        self.priced += sums.priced
        self.cost += sums.cost_usd
        self.timed += sums.timed
        self.total_ms += sums.total_ms


@dataclass(frozen=True, slots=True)
class Move:
    """A task's requests for which the table has chosen one model and the candidate another, with
    what people said of both at that task. ``None``: refused."""

    task: str
    model: str | None
    candidate_model: str | None
    beside: Beside
    score: Score | None
    candidate_score: Score | None


@dataclass(frozen=True, slots=True)
class Compared:
    """A table, its candidate, and decisions under this version of the candidate; ``others`` counts
    those under other ones. ``tasks`` has both choices, ``arms`` what the table and the candidate
    decided, by task and for ``ALL``. ``refused`` would be by the candidate."""

    table: Table
    candidate: Table
    percent: int
    changes: Changes
    tasks: Mapping[str, Beside]
    arms: Mapping[str, tuple[Arm, Arm]]
    moves: Sequence[Move]
    refused: int
    others: int

    @property
    def decided(self) -> int:
        """Requests that the candidate decided."""
        return self.arms[ALL][1].requests
