"""Outcomes as arrays: prompts against models, for what is fitted to single answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from prism.calibrate.outcomes import Outcome
from prism.routing.catalog import Task
from prism.routing.signals import Classification

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Answers:
    """``scores``: [prompts, models], not a number where there is none. ``hidden``: [prompts,
    size], what the classifier's last layer read. ``tasks``: what each prompt is routed as.
    ``classifier``: the SHA-256 of its model file.
    """

    models: tuple[str, ...]
    tasks: tuple[Task, ...]
    scores: Numbers
    hidden: Numbers
    classifier: str


@dataclass(slots=True)
class Gatherer:
    """Keeps what it is shown, where the classifier read the prompt; ``answers`` is all of it.

    Memory grows with prompts: about 2 KB each.
    """

    routed_by: Callable[[Classification], Task]
    classifier: str = ""
    _rows: dict[str, int] = field(default_factory=dict)
    _tasks: list[Task] = field(default_factory=list)
    _hidden: list[memoryview] = field(default_factory=list)
    _scores: dict[tuple[int, str], list[float]] = field(default_factory=dict)

    def show(self, outcome: Outcome, found: Classification) -> None:
        """One answer, and how its prompt was read."""
        if outcome.score is None or found.hidden is None:
            return
        self.classifier = found.hidden.classifier
        row = self._rows.setdefault(outcome.prompt, len(self._rows))
        if row == len(self._tasks):
            self._tasks.append(self.routed_by(found))
            self._hidden.append(found.hidden.values)
        self._scores.setdefault((row, outcome.model), []).append(outcome.score)

    def answers(self, models: Sequence[str]) -> Answers:
        """The answers of ``models``; one graded several times counts with its mean."""
        places = {name: place for place, name in enumerate(models)}
        scores = np.full((len(self._tasks), len(models)), np.nan)
        for (row, name), found in self._scores.items():
            if name in places:
                scores[row, places[name]] = sum(found) / len(found)
        hidden = np.array([np.asarray(values) for values in self._hidden], np.float64)
        return Answers(tuple(models), tuple(self._tasks), scores, hidden, self.classifier)
