"""A tally to the figures that the terminal and the page show."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from prism.routing.catalog import MODES, TASKS, Mode, Task
from prism.savings.tally import Asked, Moved, Tally

_HOUR_S = 3600
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: what was asked, and what each mode makes of it."""

    name: str
    asked: Asked
    modes: Mapping[Mode, Moved]
    to: Mapping[Mode, str]

    def saved(self, mode: Mode) -> float:
        """The share of the cost that is saved; below 0 where it would cost more."""
        return saved(self.asked.usd, self.modes[mode].usd)


@dataclass(frozen=True, slots=True)
class Savings:
    """All figures. Dollars are US dollars at list price; ``classifier_usd`` is part of each
    mode's cost in ``total`` and of no other row."""

    total: Row
    by_task: tuple[Row, ...]
    by_model: tuple[Row, ...]
    classifier_usd: float
    classifier_ms: float
    tally: Tally


def saved(before: float, after: float) -> float:
    """The share of ``before`` that is saved."""
    return 1 - after / before if before else 0.0


def savings_of(tally: Tally, cpu_usd_per_hour: float) -> Savings:
    """The figures of a tally; ``cpu_usd_per_hour`` is the price of one core."""
    classifier = tally.classify_s / _HOUR_S * cpu_usd_per_hour
    total = _row("all", tally, tally.asked)
    for moved in total.modes.values():
        moved.usd += classifier
        moved.warm_usd += classifier
    models = {model for _, model in tally.asked}
    by_model = [
        _row(model, tally, [key for key in tally.asked if key[1] == model]) for model in models
    ]
    by_task = [_row(task, tally, [key for key in tally.asked if key[0] == task]) for task in TASKS]
    return Savings(
        total,
        tuple(row for row in by_task if row.asked.requests),
        tuple(sorted(by_model, key=lambda row: (-row.asked.usd, row.name))),
        classifier,
        1000 * tally.classify_s / tally.classified if tally.classified else 0.0,
        tally,
    )


def _row(name: str, tally: Tally, keys: Iterable[tuple[Task, str]]) -> Row:
    """The sum over some pairs of a task and the model that was asked."""
    wanted, asked = set(keys), Asked()
    for key in sorted(wanted):
        asked.add(tally.asked[key])
    modes = {mode: Moved() for mode in MODES}
    to: dict[Mode, defaultdict[str, float]] = {mode: defaultdict(float) for mode in MODES}
    for (task, model, mode, target), moved in tally.moved.items():
        if (task, model) in wanted:
            modes[mode].add(moved)
            to[mode][target] += moved.requests
    names = {mode: _named(count) for mode, count in to.items()}
    return Row(name, asked, modes, names)


def _named(count: Mapping[str, float]) -> str:
    """Where most go, with shares where not all go to one model."""
    every = sum(count.values())
    ranked = sorted(count.items(), key=lambda item: (-item[1], item[0]))
    if len(ranked) <= 1:
        return "".join(name for name, _ in ranked)
    shown = [f"{name} {number / every:.0%}" for name, number in ranked[:_NAMED]]
    return ", ".join(shown) + (", …" if len(ranked) > _NAMED else "")
