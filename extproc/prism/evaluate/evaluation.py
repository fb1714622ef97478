"""Strategies beside each other: means with intervals, areas under curves, regret."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prism.evaluate.graded import Graded
from prism.evaluate.strategies import (
    Strategy,
    at_random,
    best_model,
    cheapest_model,
    of_models,
    of_table,
    oracle,
)
from prism.routing.catalog import Table, Task

Numbers = NDArray[np.float64]
_BLOCK = 2_000_000
"""Weights of resamples that are held at once."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A value and the bounds of its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Result:
    """One strategy. ``cost`` is US dollars a prompt; the ratios are to the best model, the
    same prompts drawn for both. ``regret`` is how far below the oracle, by task."""

    name: str
    kind: str
    quality: Interval
    cost: Interval
    quality_ratio: Interval
    cost_ratio: Interval
    regret: Mapping[Task, float]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """``areas`` is under the cost–quality curve of each table, and of the single models."""

    prompts: int
    tasks: Mapping[Task, int]
    best: str
    cheapest: str
    results: tuple[Result, ...]
    areas: Mapping[str, float]


def evaluate(
    prompts: Sequence[Graded], tables: Mapping[str, Table], resamples: int, seed: int
) -> Evaluation:
    """Every mode of every table, every model, chance and the oracle.

    ``prompts`` must not be empty. The same seed gives the same intervals.
    """
    models = of_models(prompts)
    best, cheapest = best_model(models), cheapest_model(models)
    routed = {name: of_table(name, table, prompts) for name, table in tables.items()}
    top = oracle(prompts)
    every = [*(s for found in routed.values() for s in found), *models, at_random(prompts), top]
    draws = _means(every, resamples, seed)
    reference = every.index(best)
    results = tuple(
        _result(number, strategy, draws, reference, _regret(strategy, top, prompts))
        for number, strategy in enumerate(every)
    )
    spans = {name: area([*found, cheapest, best], cheapest, best) for name, found in routed.items()}
    spans["single models"] = area(models, cheapest, best)
    tasks = {task: sum(p.real == task for p in prompts) for task in Task}
    return Evaluation(len(prompts), tasks, best.name, cheapest.name, results, spans)


def _means(strategies: Sequence[Strategy], resamples: int, seed: int) -> tuple[Numbers, Numbers]:
    """Mean scores and costs, a row a resample, a column a strategy; row 0 is the data itself."""
    scores = np.array([s.scores for s in strategies]).T
    costs = np.array([s.costs for s in strategies]).T
    count = len(scores)
    generator = np.random.default_rng(seed)
    rows = [(scores.mean(0)[None], costs.mean(0)[None])]
    done = 0
    while done < resamples:
        size = min(resamples - done, max(1, _BLOCK // count))
        weights = generator.multinomial(count, np.full(count, 1 / count), size) / count
        rows.append((weights @ scores, weights @ costs))
        done += size
    return np.concatenate([row[0] for row in rows]), np.concatenate([row[1] for row in rows])


def _result(
    number: int,
    strategy: Strategy,
    draws: tuple[Numbers, Numbers],
    reference: int,
    regret: Mapping[Task, float],
) -> Result:
    scores, costs = draws
    return Result(
        strategy.name,
        strategy.kind,
        _interval(scores[:, number]),
        _interval(costs[:, number]),
        _interval(_ratio(scores[:, number], scores[:, reference])),
        _interval(_ratio(costs[:, number], costs[:, reference])),
        regret,
    )


def _ratio(part: Numbers, whole: Numbers) -> Numbers:
    # What is free, or never right, has no ratio to it: as good as equal.
    return np.divide(part, whole, out=np.ones_like(part), where=whole > 0)


def _interval(draws: Numbers) -> Interval:
    low, high = np.quantile(draws[1:] if len(draws) > 1 else draws, (0.025, 0.975))
    return Interval(float(draws[0]), float(low), float(high))


def _regret(strategy: Strategy, top: Strategy, prompts: Sequence[Graded]) -> dict[Task, float]:
    lost: dict[Task, list[float]] = {}
    for prompt, best, score in zip(prompts, top.scores, strategy.scores, strict=True):
        lost.setdefault(prompt.real, []).append(best - score)
    return {task: sum(found) / len(found) for task, found in sorted(lost.items())}


def area(strategies: Iterable[Strategy], cheapest: Strategy, best: Strategy) -> float:
    """The mean quality over all budgets from always-cheapest to always-best.

    Between two strategies any mix can be had by tossing a coin, so the curve is the upper hull
    of the points; past the last one it goes on level. Where both ends cost the same it is the
    best quality for that cost.
    """
    points = sorted({(_mean(s.costs), _mean(s.scores)) for s in strategies})
    start, end = _mean(cheapest.costs), _mean(best.costs)
    if end <= start:
        return max(score for cost, score in points if cost <= end)
    xs, ys = zip(*_hull(points), strict=True)
    grid = np.unique([start, end, *(x for x in xs if start < x < end)])
    return float(np.trapezoid(np.interp(grid, xs, ys), grid) / (end - start))


def _hull(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The upper concave hull of points sorted by cost, as far as it rises."""
    hull: list[tuple[float, float]] = []
    for x, y in points:
        if hull and y <= hull[-1][1]:
            continue
        while hull and x == hull[-1][0]:
            hull.pop()
        while len(hull) > 1 and _below(hull[-2], hull[-1], (x, y)):
            hull.pop()
        hull.append((x, y))
    return hull


def _below(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> bool:
    """Whether ``b`` is on or below the line from ``a`` to ``c``."""
    return (b[1] - a[1]) * (c[0] - a[0]) <= (c[1] - a[1]) * (b[0] - a[0])


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
