"""A predictor fitted to graded answers, and what it is worth by cross-validation.

For each model a linear function of what the classifier's last layer read, fitted by ridge
regression to how much better or worse than the table's quality an answer was. A strong penalty
keeps it near the table where the answers say little.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from prism.calibrate.answers import Answers, Numbers
from prism.routing.catalog import TASKS, Mode, Task

FOLDS = 5
REPEATS = 5
"""Cross-validations, each with other folds, whose mean says what a trade is worth."""
PENALTIES = (100.0, 300.0, 1000.0, 3000.0, 10000.0, 100000.0)
"""Of these the best by cross-validation; the last leaves hardly any correction."""
TRADES = (0.0, *(float(f"{value:.3g}") for value in np.geomspace(0.003, 2, 48)))
MARGIN = 1.645
"""Standard errors by which a mode must keep its tolerance, so that 95 of 100 do: a mean over few
prompts is partly luck, and of many trades the cheapest that seems good enough is the luckiest."""
_LARGEST = 60_000.0
"""The most that a half-precision number holds, with room."""
Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Fit:
    """``weights`` by model, the constant last. ``predicted``: [prompts, models], the quality of
    each at prompts that it was not fitted to. ``penalty``: the one that predicted best."""

    weights: Mapping[str, tuple[float, ...]]
    predicted: Numbers
    penalty: float


def fit(answers: Answers, quality: Mapping[tuple[str, Task], float], seed: int = 0) -> Fit:
    """Fits all models of ``answers``, of which there must be ``FOLDS`` prompts or more.

    ``quality`` is the table's, by model and task: what predictions correct.
    """
    base = np.array([[quality[name, task] for name in answers.models] for task in answers.tasks])
    wanted = answers.scores - base
    fold = np.random.default_rng(seed).permutation(len(base)) % FOLDS
    found: dict[float, Numbers] = {penalty: np.zeros_like(base) for penalty in PENALTIES}
    for number in range(FOLDS):
        out = fold == number
        solved = _Ridge(answers.hidden[~out], wanted[~out])
        for penalty in PENALTIES:
            weights = solved(penalty)
            found[penalty][out] = answers.hidden[out] @ weights[:-1] + weights[-1]
    best = min(PENALTIES, key=lambda penalty: np.nansum((found[penalty] - wanted) ** 2))
    layer = _Ridge(answers.hidden, wanted)(best)
    return Fit(
        {
            name: tuple(np.clip(layer[:, place], -_LARGEST, _LARGEST).astype(np.float16).tolist())
            for place, name in enumerate(answers.models)
        },
        np.clip(base + found[best], 0, 1),
        best,
    )


class _Ridge:
    """Ridge regression of each column of ``wanted`` on standardised ``hidden``, for one penalty
    after another; rows that a column does not have are left out of it."""

    def __init__(self, hidden: Numbers, wanted: Numbers) -> None:
        self._mean = hidden.mean(0)
        self._spread = hidden.std(0) + 1e-3
        scaled = (hidden - self._mean) / self._spread
        self._columns = []
        for column in wanted.T:
            known = ~np.isnan(column)
            rows, values = scaled[known], column[known]
            shift, offset = (rows.mean(0), values.mean()) if len(rows) else (self._mean * 0, 0.0)
            rows = rows - shift
            self._columns.append((rows.T @ rows, rows.T @ (values - offset), shift, offset))

    def __call__(self, penalty: float) -> Numbers:
        """[size + 1, columns]: the weights of ``hidden`` as it is, then the constant."""
        found = []
        for squares, products, shift, offset in self._columns:
            solution = np.linalg.solve(squares + penalty * np.eye(len(squares)), products)
            weights = solution / self._spread
            constant = offset - solution @ shift - self._mean @ weights
            found.append(np.append(weights, constant))
        return np.array(found).T


def picked(worth: Numbers, costs: Numbers, trade: float, able: NDArray[np.bool_]) -> Rows:
    """The model that each prompt goes to, by the engine's rule: ``worth`` is the quality
    predicted, ``able`` [prompts, models] which models may be chosen, ``costs`` of the same shape.
    """
    dearest = np.where(able, costs, 0).max(1, keepdims=True)
    share = np.divide(costs, dearest, out=np.zeros_like(costs), where=dearest > 0)
    choice: Rows = np.where(able, worth - trade * share, -np.inf).argmax(1)
    return choice


@dataclass(frozen=True, slots=True)
class Worth:
    """Mean score, and mean cost in US dollars, of a way to choose. ``doubt``: the standard error
    of how far its quality is from the best one's, the same prompts compared."""

    quality: float
    cost: float
    doubt: float = 0.0


def worth(answers: Answers, costs: Numbers, choice: Rows) -> Worth:
    """What ``choice`` (a model for each prompt) came to, where the answer is known."""
    rows = np.arange(len(choice))
    scores = answers.scores[rows, choice]
    known = ~np.isnan(scores)
    if not known.any():
        return Worth(0.0, float(costs[rows, choice].mean()))
    return Worth(float(scores[known].mean()), float(costs[rows, choice][known].mean()))


def curve(answers: Answers, costs: Numbers, picks: Sequence[Sequence[Rows]]) -> list[Worth]:
    """What each way to choose came to, over every repeat of the cross-validation. ``picks``: for
    each way its choices, one for each repeat."""
    rows = np.arange(len(answers.tasks))
    found, scores = [], []
    for repeats in picks:
        every = [worth(answers, costs, choice) for choice in repeats]
        quality, cost = (
            fmean(values) for values in zip(*((w.quality, w.cost) for w in every), strict=True)
        )
        found.append(Worth(quality, cost))
        scores.append(np.mean([answers.scores[rows, choice] for choice in repeats], axis=0))
    best = scores[max(range(len(found)), key=lambda place: found[place].quality)]
    return [replace(one, doubt=_error(own - best)) for one, own in zip(found, scores, strict=True)]


def _error(differences: Numbers) -> float:
    """The standard error of the mean; prompts without a difference that is known do not count."""
    known = differences[~np.isnan(differences)]
    return float(known.std() / np.sqrt(len(known))) if len(known) else 0.0


def choose_trades(
    found: Sequence[tuple[float, Worth]], tolerances: Mapping[Mode, float]
) -> dict[Mode, float]:
    """For each mode the cheapest trade that stays within its tolerance of the best quality, by
    more than chance would have it."""
    best = max(value.quality for _, value in found)
    trades = {}
    for mode, tolerance in tolerances.items():
        floor = best * (1 - tolerance) - 1e-12
        within = [pair for pair in found if pair[1].quality - MARGIN * pair[1].doubt >= floor]
        trades[mode] = min(within, key=lambda p: (p[1].cost, p[0]))[0] if tolerance else 0.0
    return trades


def rows_of(tasks: Sequence[Task]) -> dict[Task, Rows]:
    """Which prompts are of each task."""
    return {
        task: np.array([row for row, of in enumerate(tasks) if of == task], dtype=np.intp)
        for task in TASKS
    }
