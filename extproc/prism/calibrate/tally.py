"""Outcomes to what was measured of each model."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from prism.calibrate.measured import Measured, Origin, Sample, Speed
from prism.calibrate.outcomes import Outcome
from prism.routing.catalog import Task

TaskOf = Callable[[Outcome], Task | None]
"""The task of an outcome; ``None`` where it cannot be told."""


@dataclass(slots=True)
class _Mean:
    """A running mean and sum of squared differences (Welford 1962)."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def add(self, value: float) -> None:
        self.count += 1
        before = value - self.mean
        self.mean += before / self.count
        self.squares += before * (value - self.mean)


@dataclass(slots=True)
class Tally:
    """What a pass over outcomes left. ``skipped`` counts those that say nothing, by reason."""

    scores: dict[tuple[str, Task], _Mean] = field(default_factory=lambda: defaultdict(_Mean))
    costs: dict[tuple[str, Task], _Mean] = field(default_factory=lambda: defaultdict(_Mean))
    seconds: dict[str, _Mean] = field(default_factory=lambda: defaultdict(_Mean))
    skipped: Counter[str] = field(default_factory=Counter)


def count(outcomes: Iterable[Outcome], task_of: TaskOf) -> Tally:
    """Counts every outcome once; memory grows with models, not with outcomes."""
    tally = Tally()
    for outcome in outcomes:
        if outcome.score is None:
            tally.skipped["has no score"] += 1
            continue
        task = task_of(outcome)
        if task is None:
            tally.skipped["has no task, and no text to tell it from"] += 1
            continue
        tally.scores[outcome.model, task].add(outcome.score)
        if outcome.cost is not None:
            tally.costs[outcome.model, task].add(outcome.cost)
        if outcome.latency is not None:
            tally.seconds[outcome.model].add(outcome.latency)
    return tally


def measured(tally: Tally, answer_tokens: Mapping[Task, int], origin: Origin) -> list[Measured]:
    """The models of a tally, by name. ``answer_tokens`` is what an answer to each task tends
    to need: files of outcomes have times, but not lengths."""
    models = sorted({model for model, _ in tally.scores})
    return [_measured(tally, model, answer_tokens, origin) for model in models]


def _measured(
    tally: Tally, model: str, answer_tokens: Mapping[Task, int], origin: Origin
) -> Measured:
    scores = {task: mean for (name, task), mean in tally.scores.items() if name == model}
    seconds = tally.seconds.get(model)
    answers = sum(mean.count for mean in scores.values())
    tokens = sum(answer_tokens[task] * mean.count for task, mean in scores.items()) / answers
    return Measured(
        model=model,
        samples={
            task: Sample(mean.mean, mean.count, mean.squares) for task, mean in scores.items()
        },
        quality_origin=origin,
        speed=Speed(seconds.mean, tokens, origin) if seconds and seconds.mean > 0 else None,
        cost={task: mean.mean for (name, task), mean in tally.costs.items() if name == model},
    )
