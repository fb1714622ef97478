"""The numbers by which a classifier is judged. Labels are indices into ``TASKS``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prism.routing.catalog import TASKS, Task

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]

CLASSES = len(TASKS)
SIMPLE = TASKS.index(Task.SIMPLE)


def confusion(labels: Labels, found: Labels) -> NDArray[np.int64]:
    """Int64 [labelled, found]: how many of each label were read as each class."""
    return np.bincount(labels * CLASSES + found, minlength=CLASSES**2).reshape(CLASSES, CLASSES)


def macro_f1(labels: Labels, found: Labels) -> float:
    """Mean F1 of the classes that ``labels`` has."""
    table = confusion(labels, found)
    scores = [
        2 * table[k, k] / (table[k].sum() + table[:, k].sum())
        for k in range(CLASSES)
        if table[k].sum()
    ]
    return float(np.mean(scores))


def ece(labels: Labels, probabilities: Floats, bins: int = 15) -> float:
    """Expected calibration error of the top class, ``bins`` of equal width (Guo et al. 2017)."""
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    spot = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        abs(confidence[spot == b].mean() - right[spot == b].mean()) * (spot == b).mean()
        for b in range(bins)
        if (spot == b).any()
    ]
    return float(sum(gaps))


def under_routed(labels: Labels, probabilities: Floats, threshold: float) -> float:
    """Share of the prompts that are not simple and are read as simple at ``threshold``."""
    hard = labels != SIMPLE
    if not hard.any():
        return 0.0
    top = probabilities[hard]
    return float(((top.argmax(1) == SIMPLE) & (top.max(1) >= threshold)).mean())


def unsure(probabilities: Floats, threshold: float) -> NDArray[np.bool_]:
    """Which prompts are read as simple with less confidence than ``threshold``: on these a
    table abstains, unless it says otherwise."""
    found: NDArray[np.bool_] = (probabilities.argmax(1) == SIMPLE) & (
        probabilities.max(1) < threshold
    )
    return found


def abstained(probabilities: Floats, threshold: float) -> float:
    """Share of the prompts that are abstained on at ``threshold``."""
    return float(unsure(probabilities, threshold).mean())


def kept(before: Floats, after: Floats, threshold: float) -> tuple[float, float]:
    """Share of changed texts whose class stays; and with those that abstain afterwards."""
    same = before.argmax(1) == after.argmax(1)
    return float(same.mean()), float((same | unsure(after, threshold)).mean())


def choose_threshold(labels: Labels, probabilities: Floats, most: float) -> float:
    """The lowest threshold (in hundredths) that keeps under-routing at ``most``."""
    for hundredth in range(25, 100):
        if under_routed(labels, probabilities, hundredth / 100) <= most:
            return hundredth / 100
    return 1.0
