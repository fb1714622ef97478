"""A table's qualities moved by what people said of its answers, as far as that can be trusted.

Feedback is no benchmark: how often people are content says more about them and their tasks than
about the model. So only differences between models at one task count, never the level; and few
answers move little (the same drawing towards a prior as in ``quality``; the prior is the table).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from prism.calibrate.measured import Measured, Origin, Sample
from prism.calibrate.quality import Quality, drawn
from prism.calibrate.settings import Broken, Settings
from prism.calibrate.tally import Tally
from prism.routing.catalog import TASKS, Table, Task

_LEAST_NOISE = 0.4
"""The least that one grade is taken to vary, that of a thumb that is up four times of five: where
all are content, grades hardly tell models apart."""
_LEAST_SPREAD, _MOST_SPREAD = 0.02, 0.05
"""How far models are taken to be from what the table says, at least and at most. So about 60
answers weigh as much as the table where feedback contradicts it most."""


@dataclass(frozen=True, slots=True)
class Moved:
    """``found`` has every model of the table at every task. ``notes`` say what was left out."""

    found: Mapping[tuple[str, Task], Quality]
    measured: tuple[Measured, ...]
    notes: tuple[str, ...]


def moved(table: Table, tally: Tally, settings: Settings) -> Moved:
    """The qualities of ``table`` with the grades of ``tally``.

    At a task where fewer than two models have ``min_samples`` graded answers nothing can be
    compared, and the table's numbers stay; so does the number of a model that has fewer. Raises
    ``Broken`` where that leaves nothing.
    """
    notes: list[str] = []
    found = {
        (name, task): Quality(model.quality[task], model.quality[task])
        for name, model in table.models.items()
        for task in TASKS
    }
    graded = 0
    for task in TASKS:
        samples = _samples(table, tally, task)
        enough = {n: s for n, s in samples.items() if (s.count or 0) >= settings.min_samples}
        notes += _left_out(task, samples, enough, settings.min_samples)
        if len(enough) > 1:
            graded += sum(sample.count or 0 for sample in enough.values())
            found |= {(n, task): q for n, q in _drawn(table, task, enough).items()}
    if not graded:
        reasons = "\n".join(notes) or "nothing was graded"
        raise Broken(f"the ledger's feedback changes nothing:\n{reasons}")
    origin = Origin(f"the table that was given, moved by {graded:,} graded answers of the ledger")
    measured = tuple(
        Measured(name, {task: _sample(found[name, task]) for task in TASKS}, origin)
        for name in table.models
    )
    return Moved(found, measured, tuple(notes))


def _samples(table: Table, tally: Tally, task: Task) -> dict[str, Sample]:
    return {
        model: Sample(mean.mean, mean.count, mean.squares)
        for (model, of), mean in sorted(tally.scores.items())
        if of == task and model in table.models
    }


def _sample(quality: Quality) -> Sample:
    mean = quality.value if quality.mean is None else quality.mean
    return Sample(mean, quality.count)


def _left_out(
    task: Task, samples: Mapping[str, Sample], enough: Mapping[str, Sample], least: int
) -> list[str]:
    few = [f"{n} ({s.count})" for n, s in samples.items() if n not in enough]
    notes = [f"{task}: under {least} graded answers, unchanged: {', '.join(few)}"] if few else []
    if len(enough) == 1:
        notes.append(f"{task}: only {next(iter(enough))} has {least} graded answers: no comparison")
    return notes


def _drawn(table: Table, task: Task, samples: Mapping[str, Sample]) -> dict[str, Quality]:
    """The level at which people grade this task is taken out first."""
    said = {name: table.models[name].quality[task] for name in samples}
    counts = {name: sample.count or 0 for name, sample in samples.items()}
    level = sum(counts[n] * (s.mean - said[n]) for n, s in samples.items()) / sum(counts.values())
    noise = _noise(samples)
    apart = [
        (sample.mean - level - said[name]) ** 2 - noise**2 / counts[name]
        for name, sample in samples.items()
    ]
    spread = math.sqrt(max(0.0, sum(apart) / len(apart)))
    spread = min(_MOST_SPREAD, max(_LEAST_SPREAD, spread))
    return {
        name: drawn(
            Sample(sample.mean - level, sample.count, sample.squares), said[name], spread, noise
        )
        for name, sample in samples.items()
    }


def _noise(samples: Mapping[str, Sample]) -> float:
    """The standard deviation of one grade."""
    freedom = sum((sample.count or 1) - 1 for sample in samples.values())
    squares = sum(sample.squares for sample in samples.values())
    return max(_LEAST_NOISE, math.sqrt(squares / freedom) if freedom else 0.0)
