"""What was spent, and what the same tokens would have cost without a router."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from prism.ledger.sums import Sums
from prism.routing.catalog import Model, Table, Task
from prism.routing.cost import cost_usd
from prism.telemetry.price import baselines

Baselines = Mapping[tuple[str, str], Model]
"""The model that everything would go to, by table and task."""


@dataclass(slots=True)
class Money:
    """US dollars. ``baseline`` is of the same answers as ``spent``; those of a table that is gone,
    for which nobody knows it, are in ``unknown`` alone."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    spent: float = 0.0
    baseline: float = 0.0
    unknown: float = 0.0

    def add(self, found: Sums, best: Model | None) -> None:
        """Count ``found`` in; ``best`` is its baseline."""
        self.requests += found.requests
        self.input_tokens += found.input_tokens
        self.output_tokens += found.output_tokens
        if best is None:
            self.unknown += found.cost_usd
            return
        self.spent += found.cost_usd
        self.baseline += cost_usd(
            best.price,
            found.input_tokens,
            found.output_tokens,
            found.cached_input_tokens,
            found.cache_write_tokens,
        )

    @property
    def total(self) -> float:
        """All that was spent."""
        return self.spent + self.unknown

    @property
    def saved(self) -> float:
        """Negative where routing cost more."""
        return self.baseline - self.spent

    @property
    def saved_share(self) -> float | None:
        """Of the baseline; ``None`` where there is none."""
        return self.saved / self.baseline if self.baseline else None


def best_models(tables: Mapping[str, Table]) -> Baselines:
    """The baselines of the tables that are live."""
    return {
        (name, str(task)): model
        for name, table in tables.items()
        for task, model in baselines(table).items()
    }


def by_key(found: Iterable[tuple[object, str, str, Sums]], best: Baselines) -> dict[object, Money]:
    """Money by the first member; the others are table and task, and what was found for them."""
    made: dict[object, Money] = {}
    for key, table, task, sums in found:
        made.setdefault(key, Money()).add(sums, best.get((table, str(Task(task)))))
    return made
