"""What a new table changes against an old one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from prism.calibrate.settings import Settings
from prism.routing.catalog import MODES, TASKS, Mode, Table, Task
from prism.routing.cost import cost_usd


@dataclass(frozen=True, slots=True)
class CellChange:
    """One cell that has another order. Cost is US dollars of a usual request to the first
    model, by the new table's prices where it has the model."""

    task: Task
    mode: Mode
    before: tuple[str, ...]
    after: tuple[str, ...]
    cost_before: float
    cost_after: float
    quality_before: float
    quality_after: float


@dataclass(frozen=True, slots=True)
class Changes:
    """``added`` and ``removed`` are models; ``prices`` says which model's changed, and how."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    prices: tuple[str, ...]
    cells: tuple[CellChange, ...]


def changes(old: Table, new: Table, settings: Settings) -> Changes:
    """Everything that requests could notice."""
    prices = []
    for name, model in new.models.items():
        if name in old.models and (before := old.models[name].price) != model.price:
            after = model.price
            prices.append(
                f"{name}: {before.input:g} in, {before.output:g} out → "
                f"{after.input:g} in, {after.output:g} out"
            )
    return Changes(
        added=tuple(name for name in new.models if name not in old.models),
        removed=tuple(name for name in old.models if name not in new.models),
        prices=tuple(prices),
        cells=tuple(_cells(old, new, settings)),
    )


def _cells(old: Table, new: Table, settings: Settings) -> Iterator[CellChange]:
    for task in TASKS:
        tokens = settings.input_tokens.of(task), new.expected_output_tokens[task]
        for mode in MODES:
            before, after = old.cells[task, mode], new.cells[task, mode]
            if before == after:
                continue
            was, now = new.models.get(before[0], old.models[before[0]]), new.models[after[0]]
            yield CellChange(
                task,
                mode,
                before,
                after,
                cost_usd(was.price, *tokens),
                cost_usd(now.price, *tokens),
                was.quality[task],
                now.quality[task],
            )
