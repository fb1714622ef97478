"""What a request cost, and what it would have cost without Prism."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from prism.routing.catalog import TASKS, Model, Table, Task
from prism.routing.cost import cost_usd
from prism.routing.record import Outcome


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars: of the answer, and of the same tokens at the table's baseline."""

    cost_usd: float
    baseline_usd: float


def baselines(table: Table) -> Mapping[Task, Model]:
    """The model that everything would go to without a router, by task: the table's best for it,
    among equals the dearest."""

    def best(task: Task) -> Model:
        models = table.models.values()
        return max(models, key=lambda m: (m.quality[task], m.price.output, m.price.input))

    return {task: best(task) for task in TASKS}


def price_of(
    table: Table | None, task: Task, outcome: Outcome, best: Mapping[Task, Model]
) -> Price | None:
    """What an answer cost by the prices of ``table``; ``None`` where its model or its tokens are
    not known. ``best`` are its baselines. Only the model that answered is counted, and an answer
    by nobody costs nothing."""
    model = None if table is None or outcome.model is None else table.models.get(outcome.model)
    if table is None or model is None:
        return None
    if outcome.input_tokens is None or outcome.output_tokens is None:
        return None
    tokens = (
        outcome.input_tokens,
        outcome.output_tokens,
        outcome.cached_input_tokens or 0,
        outcome.cache_write_tokens or 0,
    )
    return Price(cost_usd(model.price, *tokens), cost_usd(best[task].price, *tokens))
