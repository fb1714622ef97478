"""What was measured of the requests that each of two tables decided."""

from __future__ import annotations

from dataclasses import dataclass, field

from prism.routing.catalog import Task
from prism.routing.record import Record

_FAILED = 500


@dataclass(slots=True)
class Arm:
    """Requests that one table decided: ``failed`` by a status of 5xx or none, ``cost_usd`` of the
    ``priced`` ones, ``total_ms`` of the ``timed`` ones."""

    decisions: int = 0
    failed: int = 0
    cost_usd: float = 0.0
    priced: int = 0
    total_ms: float = 0.0
    timed: int = 0

    def add(self, record: Record, cost_usd: float | None) -> None:
        """Count one more."""
        outcome = record.outcome
        self.decisions += 1
        if outcome is not None:
            self.failed += outcome.status is None or outcome.status >= _FAILED
            if outcome.total_ms is not None:
                self.total_ms += outcome.total_ms
                self.timed += 1
        if cost_usd is not None:
            self.cost_usd += cost_usd
            self.priced += 1

    def means(self) -> dict[str, float | int | None]:
        """For one request each; ``None`` where nothing is known."""
        return {
            "decisions": self.decisions,
            "failed": self.failed,
            "costUsd": self.cost_usd / self.priced if self.priced else None,
            "totalMs": self.total_ms / self.timed if self.timed else None,
        }


@dataclass(slots=True)
class Arms:
    """Both of them, by task; ``all`` has them together."""

    by_task: dict[str, tuple[Arm, Arm]] = field(default_factory=dict)

    def add(self, record: Record, cost_usd: float | None) -> None:
        """Count a record that has a trial."""
        applied = record.trial is not None and record.trial.applied
        for name in ("all", str(Task(record.decision.task))):
            arms = self.by_task.setdefault(name, (Arm(), Arm()))
            arms[applied].add(record, cost_usd)

    def as_json(self) -> dict[str, object]:
        """Means for programs."""
        return {
            name: {"table": table.means(), "candidate": candidate.means()}
            for name, (table, candidate) in self.by_task.items()
        }
