"""How good answers were, by what people said of them, next to what the table says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from prism.calibrate.feedback import moved
from prism.calibrate.quality import Quality, share_bounds
from prism.calibrate.settings import Broken, Settings
from prism.calibrate.tally import Tally
from prism.ledger.grades import Grades
from prism.routing.catalog import TASKS, Table, Task


@dataclass(frozen=True, slots=True)
class Graded:
    """A model at a task. ``low`` to ``high`` has the mean score with 95 % probability. ``table`` is
    what the table says of it, ``fitted`` what ``prism calibrate --from-ledger`` would; ``None``
    where that does not know the model, or leaves the table's number."""

    model: str
    count: int
    mean: float
    low: float
    high: float
    table: float | None
    fitted: Quality | None


@dataclass(frozen=True, slots=True)
class Qualities:
    """By task, the best first. ``notes`` say what was too little to go by."""

    tasks: Sequence[tuple[str, Sequence[Graded]]]
    notes: Sequence[str]


def qualities(found: Mapping[tuple[str, str], Grades], table: Table | None) -> Qualities:
    """What ``found``, by task and model, says."""
    fitted, notes = _fitted(found, table)
    by_task: dict[str, list[Graded]] = {}
    for (task, name), one in found.items():
        model = None if table is None else table.models.get(name)
        said = None if model is None else model.quality[Task(task)]
        low, high = share_bounds(one.mean, one.count)
        row = Graded(name, one.count, one.mean, low, high, said, fitted.get((name, task)))
        by_task.setdefault(task, []).append(row)
    ordered = [
        (str(task), sorted(by_task[task], key=lambda row: (-row.mean, row.model)))
        for task in TASKS
        if task in by_task
    ]
    return Qualities(ordered, notes)


def _fitted(
    found: Mapping[tuple[str, str], Grades], table: Table | None
) -> tuple[Mapping[tuple[str, str], Quality], Sequence[str]]:
    """The qualities that feedback moves, by model and task."""
    if table is None or not found:
        return {}, ()
    tally = Tally()
    for (task, model), one in found.items():
        mean = tally.scores[model, Task(task)]
        mean.count, mean.mean, mean.squares = one.count, one.mean, one.spread
    try:
        known = moved(table, tally, Settings())
    except Broken as broken:
        return {}, str(broken).splitlines()
    return {(n, str(t)): q for (n, t), q in known.found.items() if q.count}, known.notes
