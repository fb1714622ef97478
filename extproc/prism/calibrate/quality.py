"""How good a model is at a task, given few or many graded answers, or none.

Where answers were counted, a mean is drawn towards what the task and the model's other tasks
suggest, by as much as chance could have moved it (empirical Bayes: James and Stein 1961, Efron
and Morris 1975). So a model with three lucky answers does not win, and one with thousands stays
where it was measured.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from prism.calibrate.measured import Measured, Sample
from prism.routing.catalog import TASKS, Task

Z95 = 1.959964
"""Standard deviations on each side that 95 % of a normal distribution lie within."""
_LEAST_SPREAD = 0.02
"""The least that models are taken to differ beyond what the other tasks say of them."""


@dataclass(frozen=True, slots=True)
class Quality:
    """``value`` (0 to 1) is what is reckoned with, ``mean`` what was measured (``None``:
    nothing was). ``low`` and ``high`` bound it with 95 % probability, where the answers
    were counted (``count``)."""

    value: float
    mean: float | None = None
    count: int | None = None
    low: float | None = None
    high: float | None = None


def qualities(models: Sequence[Measured]) -> dict[tuple[str, Task], Quality]:
    """The quality of every model at every task, by model's name and task.

    Raises ``ValueError`` where no model was measured at all.
    """
    means = _task_means(models)
    spreads = {task: _spread(models, task, means) for task in TASKS}
    noises = {task: _noise(models, task) for task in TASKS}
    return {
        (measured.model, task): drawn(
            measured.samples.get(task), _prior(measured, task, means), spreads[task], noises[task]
        )
        for measured in models
        for task in TASKS
    }


def drawn(sample: Sample | None, prior: float, spread: float, noise: float) -> Quality:
    """The quality that a sample and a ``prior`` (0 to 1) make together. ``spread`` is the standard
    deviation of qualities around their priors, ``noise`` that of one graded answer."""
    if sample is None:
        return Quality(_share(prior), None, 0, *_bounds(prior, spread))
    if sample.count is None:
        return Quality(_share(sample.mean), sample.mean)
    trust, doubt = sample.count / noise**2, 1 / spread**2
    value = (sample.mean * trust + prior * doubt) / (trust + doubt)
    return Quality(
        _share(value), sample.mean, sample.count, *_bounds(value, (trust + doubt) ** -0.5)
    )


def share_bounds(mean: float, count: int) -> tuple[float, float]:
    """What the mean of ``count`` scores from 0 to 1 says of all such scores, with 95 % probability.

    Wilson's interval for a share (1927). No scores from 0 to 1 spread more than zeros and ones of
    the same mean do, so for finer ones it is wide rather than narrow.
    """
    squared = Z95 * Z95
    middle = (mean + squared / (2 * count)) / (1 + squared / count)
    half = Z95 * math.sqrt(mean * (1 - mean) / count + squared / (4 * count * count))
    half /= 1 + squared / count
    return max(0.0, middle - half), min(1.0, middle + half)


def _bounds(value: float, deviation: float) -> tuple[float, float]:
    return _share(value - Z95 * deviation), _share(value + Z95 * deviation)


def _share(value: float) -> float:
    """As the table has it: from 0 to 1, to four digits."""
    return round(min(1.0, max(0.0, value)), 4)


def _task_means(models: Iterable[Measured]) -> dict[Task, float]:
    """The mean over models for each task; of a task that nobody was measured at, the mean
    over the others."""
    by_task = {task: [m.samples[task].mean for m in models if task in m.samples] for task in TASKS}
    means = {task: sum(found) / len(found) for task, found in by_task.items() if found}
    if not means:
        raise ValueError("no quality was measured")
    overall = sum(means.values()) / len(means)
    return {task: means.get(task, overall) for task in TASKS}


def _prior(measured: Measured, task: Task, means: Mapping[Task, float]) -> float:
    """The task's mean, moved by how much better or worse the model is at the other tasks."""
    others = [
        sample.mean - means[other] for other, sample in measured.samples.items() if other != task
    ]
    return means[task] + (sum(others) / len(others) if others else 0.0)


def _noise(models: Iterable[Measured], task: Task) -> float:
    """The standard deviation of one graded answer, over all models of the task."""
    squares, freedom = 0.0, 0
    for measured in models:
        sample = measured.samples.get(task)
        if sample is not None and sample.count is not None and sample.count > 1:
            squares += sample.squares
            freedom += sample.count - 1
    # Without two answers of any model: the most that a score from 0 to 1 can vary.
    return max(math.sqrt(squares / freedom), 1e-3) if freedom else 0.5


def _spread(models: Iterable[Measured], task: Task, means: Mapping[Task, float]) -> float:
    """The standard deviation of models' qualities around their priors, chance taken out."""
    noise = _noise(models, task)
    excess = [
        (sample.mean - _prior(measured, task, means)) ** 2 - noise**2 / (sample.count or math.inf)
        for measured in models
        if (sample := measured.samples.get(task)) is not None
    ]
    variance = sum(excess) / len(excess) if excess else 0.25
    return max(math.sqrt(max(variance, 0.0)), _LEAST_SPREAD)
