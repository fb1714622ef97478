"""A table's predictor: the candidates of each cell, the trade of each mode, and the comparison
with the plain table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from prism.calibrate.answers import Answers, Numbers
from prism.calibrate.choose import Choice, Point, eligible
from prism.calibrate.predict import (
    REPEATS,
    TRADES,
    Fit,
    Worth,
    choose_trades,
    curve,
    fit,
    picked,
    rows_of,
    worth,
)
from prism.calibrate.settings import Broken, Settings
from prism.resources.halves import half_float_text
from prism.routing.catalog import MODES, TASKS, Mode, Task

LENGTH = 5
"""Models of a cell that a predictor chooses from: as many as a cell may have."""
LEAST = 200
"""Prompts below which nothing is fitted."""
_CHANCE = 0.005
"""A gain in quality (0 to 1) that says nothing."""
_LOSS = 0.01
"""A loss in quality that speaks against it: halvings of the same prompts differ by as much."""
_SPARED = 0.1
"""A share of the cost that is worth having for the same quality."""


@dataclass(frozen=True, slots=True)
class Predicted:
    """A predictor and what it is worth. ``by_mode`` has the mean score and cost of prompts that
    it was not fitted to, ``plain`` the same of the table without it, ``single`` those of always
    the best model. ``gains``: by mode, how much better it is than the plain table for the same
    cost; ``spared``: which share of the cost it spares for the same quality."""

    classifier: str
    weights: Mapping[str, tuple[float, ...]]
    trade: Mapping[Mode, float]
    prompts: int
    by_mode: Mapping[Mode, Worth]
    plain: Mapping[Mode, Worth]
    single: Worth
    gains: Mapping[Mode, float]
    spared: Mapping[Mode, float]

    @property
    def pays(self) -> bool:
        """Whether in some mode it is better than the plain table for the same cost or cheaper for
        the same quality, and worse in none, beyond what the choice among trades makes of chance."""
        won = max(self.gains.values()) > _CHANCE or max(self.spared.values()) > _SPARED
        return won and min(self.gains.values()) >= -_LOSS

    def spec(self) -> dict[str, Any]:
        """``spec.predictor`` of a RoutingTable."""
        return {
            "classifier": self.classifier,
            "trade": {str(mode): self.trade[mode] for mode in MODES},
            "models": [
                {"name": name, "weights": half_float_text(values)}
                for name, values in self.weights.items()
            ],
        }


def predictor(
    answers: Answers,
    points: Mapping[Task, Sequence[Point]],
    choices: Sequence[Choice],
    settings: Settings,
) -> tuple[Predicted, tuple[Choice, ...]]:
    """A predictor for a table with ``points`` and the plain ``choices``, and the cells that it
    chooses from. Raises ``Broken`` where there are too few prompts."""
    if (count := len(answers.tasks)) < LEAST:
        raise Broken(f"a predictor needs {LEAST} prompts or more, but there are {count}")
    quality = {(p.model, task): p.quality.value for task in TASKS for p in points[task]}
    fits = [fit(answers, quality, seed) for seed in range(REPEATS)]
    found = fits[0]
    costs = _costs(answers, points)
    candidates = _candidates(answers, found, costs, points, choices, settings)
    able = np.array([[m in candidates[task] for m in answers.models] for task in answers.tasks])
    picks = [[picked(one.predicted, costs, t, able) for one in fits] for t in TRADES]
    found_worth = dict(zip(TRADES, curve(answers, costs, picks), strict=True))
    trade = choose_trades(
        tuple(found_worth.items()), {m: getattr(settings.tolerances, m) for m in MODES}
    )
    chosen = {mode: picks[TRADES.index(trade[mode])][0] for mode in MODES}
    plain = {mode: worth(answers, costs, _plain(answers, choices, mode)) for mode in MODES}
    result = Predicted(
        answers.classifier,
        found.weights,
        trade,
        len(answers.tasks),
        {mode: found_worth[trade[mode]] for mode in MODES},
        plain,
        _single(answers, costs),
        {mode: _gain(found_worth.values(), plain[mode]) for mode in MODES},
        {mode: _spared(found_worth.values(), plain[mode]) for mode in MODES},
    )
    return result, _cells(answers, chosen, candidates, choices)


def _costs(answers: Answers, points: Mapping[Task, Sequence[Point]]) -> Numbers:
    by_task = {
        task: [{p.model: p.cost for p in points[task]}[name] for name in answers.models]
        for task in TASKS
    }
    return np.array([by_task[task] for task in answers.tasks])


def _candidates(
    answers: Answers,
    found: Fit,
    costs: Numbers,
    points: Mapping[Task, Sequence[Point]],
    choices: Sequence[Choice],
    settings: Settings,
) -> dict[Task, list[str]]:
    """The models that a cell of each task has: the plain first choices, then those that are
    chosen most often, over all trades."""
    names = {task: {p.model for p in eligible(points[task], settings)} for task in TASKS}
    able = np.array([[m in names[task] for m in answers.models] for task in answers.tasks])
    picks = np.array([picked(found.predicted, costs, trade, able) for trade in TRADES])
    candidates = {}
    for task, rows in rows_of(answers.tasks).items():
        counts = np.bincount(picks[:, rows].ravel(), minlength=len(answers.models))
        often = [answers.models[place] for place in np.argsort(-counts, kind="stable")]
        firsts = [choice.names[0] for choice in choices if choice.task == task]
        every = dict.fromkeys([*firsts, *(n for n in often if n in names[task])])
        candidates[task] = list(every)[:LENGTH]
    return candidates


def _plain(answers: Answers, choices: Sequence[Choice], mode: Mode) -> Any:
    first = {c.task: answers.models.index(c.names[0]) for c in choices if c.mode == mode}
    return np.array([first[task] for task in answers.tasks])


def _single(answers: Answers, costs: Numbers) -> Worth:
    every = [
        worth(answers, costs, np.full(len(answers.tasks), place))
        for place in range(len(answers.models))
    ]
    return max(every, key=lambda value: (value.quality, -value.cost))


def _gain(trades: Iterable[Worth], plain: Worth) -> float:
    """How much better the predictor is than ``plain`` for no more money."""
    within = [value.quality for value in trades if value.cost <= plain.cost * (1 + 1e-9)]
    return max(within, default=0.0) - plain.quality


def _spared(trades: Iterable[Worth], plain: Worth) -> float:
    """The share of the cost of ``plain`` that the predictor spares for no less quality."""
    costs = [value.cost for value in trades if value.quality >= plain.quality]
    return max(0.0, 1 - min(costs, default=plain.cost) / plain.cost) if plain.cost else 0.0


def _cells(
    answers: Answers,
    chosen: Mapping[Mode, Any],
    candidates: Mapping[Task, list[str]],
    choices: Sequence[Choice],
) -> tuple[Choice, ...]:
    """The plain first choice, for requests without a prediction, then the most chosen ones."""
    rows = rows_of(answers.tasks)
    cells = []
    for choice in choices:
        counts = np.bincount(chosen[choice.mode][rows[choice.task]], minlength=len(answers.models))
        known = {name: int(counts[place]) for place, name in enumerate(answers.models)}
        others = [name for name in candidates[choice.task] if name != choice.names[0]]
        # Sorting is stable: of models that are chosen as often, the order of the candidates.
        ordered = sorted(others, key=lambda name: -known[name])
        cells.append(replace(choice, names=(choice.names[0], *ordered)))
    return tuple(cells)
