"""Outcomes as prompts, each with what every model made of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from prism.calibrate.outcomes import Outcome
from prism.routing.catalog import Task
from prism.routing.signals import Classification

CostOf = Callable[[str, Task], float]
"""US dollars of a usual request to a model for a task."""
ReadAs = Callable[[Outcome], Classification | None]
"""What the prompt of an outcome is read as; ``None`` where that cannot be told."""


@dataclass(frozen=True, slots=True)
class Graded:
    """One prompt. ``read`` is what it is routed by, ``real`` the task that its file says it is
    (the one read where the file says nothing). ``scores`` and ``costs`` are by model."""

    prompt: str
    read: Classification
    real: Task
    scores: Mapping[str, float]
    costs: Mapping[str, float]


def graded(
    outcomes: Iterable[Outcome], read_as: ReadAs, cost_of: CostOf, models: Iterable[str]
) -> tuple[list[Graded], Counter[str]]:
    """The prompts that every one of ``models`` answered, in the order of the file, and how
    many outcomes or prompts were left out, by reason.

    An answer graded twice counts with its mean. A cost that was not measured is what a usual
    request costs.
    """
    left_out: Counter[str] = Counter()
    wanted = set(models)
    rows: dict[str, dict[str, list[Outcome]]] = {}
    for outcome in outcomes:
        if outcome.score is None:
            left_out["outcomes without a score"] += 1
        elif outcome.model not in wanted:
            left_out["outcomes of models that no table has"] += 1
        else:
            rows.setdefault(outcome.prompt, {}).setdefault(outcome.model, []).append(outcome)
    found = []
    for prompt, by_model in rows.items():
        first = next(iter(by_model.values()))[0]
        read = read_as(first)
        if read is None:
            left_out["prompts without a task, and no text to tell it from"] += 1
        elif wanted - by_model.keys():
            left_out["prompts that not every model answered"] += 1
        else:
            found.append(_graded(prompt, read, first.task or read.task, by_model, cost_of))
    return found, left_out


def _graded(
    prompt: str,
    read: Classification,
    real: Task,
    by_model: Mapping[str, list[Outcome]],
    cost_of: CostOf,
) -> Graded:
    scores, costs = {}, {}
    for model, answers in sorted(by_model.items()):
        scores[model] = _mean([a.score for a in answers if a.score is not None])
        measured = [a.cost for a in answers if a.cost is not None]
        costs[model] = _mean(measured) if measured else cost_of(model, real)
    return Graded(prompt, read, real, scores, costs)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
