"""Leaves sources out in turn, some groups at a time, and keeps what models say of them."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
from augment import CHANGES, MEASURED
from matrix import Floats, Labels, Matrix, matrix, stack
from measure import Scale, fit_scale
from network import Network, fit_network
from rows import FOLDS, GROUPS, REALISTIC, Row, group_of, labels, weights
from words import Words

from prism.classify.features import Reader
from prism.classify.quality import CLASSES

# How many prompts of each realistic group are changed in every way.
PAIRS = 100
# Share of the prompts that are held out where sources are not.
HELD_OUT = 0.1


@dataclass(frozen=True, slots=True)
class Left:
    """What models that never saw a row's group say of it.

    ``logits``: [rows, 4]. ``group``: the group's number in ``GROUPS``, per row. ``pairs``: per
    kind of change, the rows that were changed and the logits of the changed texts.
    """

    logits: Floats
    group: Labels
    pairs: dict[str, tuple[Labels, Floats]]


@dataclass(frozen=True, slots=True)
class Folds:
    """All that the folds share: prompts, changed copies of some, the words, the seed."""

    rows: Sequence[Row]
    given: Matrix
    extra: Sequence[Row]
    changed: Matrix
    words: Words
    reader: Reader
    seed: int


def fit(rows: Sequence[Row], given: Matrix, words: Words, seed: int) -> Network:
    """Train on labelled prompts and their features."""
    targets = np.eye(CLASSES, dtype=np.float32)[labels(rows)]
    return fit_network(given, words.vectors, words.counts, targets, weights(rows), seed)


def leave_out(task: Folds, jobs: int, folds: Sequence[Sequence[str]] = FOLDS) -> Left:
    """For each fold, train on all else and answer for it; ``jobs`` folds at a time.

    With some of the folds only, the rows of the others have logits of 0.
    """
    group = np.array([group_of(row) for row in task.rows])
    logits = np.zeros((len(task.rows), CLASSES), np.float32)
    pairs: dict[str, list[tuple[Labels, Floats]]] = {name: [] for name in CHANGES}
    # Forked, so that the matrices are shared and not sent.
    _SHARED.append(task)
    with ProcessPoolExecutor(jobs, mp_context=get_context("fork")) as pool:
        for out, said, changed in pool.map(_fold, folds):
            logits[out] = said
            for kind, part in changed.items():
                pairs[kind].append(part)
    _SHARED.clear()
    return Left(logits, group, {kind: _join(parts) for kind, parts in pairs.items()})


_SHARED: list[Folds] = []


def _fold(names: Sequence[str]) -> tuple[Labels, Floats, dict[str, tuple[Labels, Floats]]]:
    """What a model trained without some groups says of them, and of their prompts changed."""
    began, (task,) = time.monotonic(), _SHARED
    left = {list(GROUPS).index(name) for name in names}
    group = np.array([group_of(row) for row in task.rows])
    inside = np.isin(group, list(left))
    own, out = np.flatnonzero(~inside), np.flatnonzero(inside)
    copied = np.flatnonzero([group_of(row) not in left for row in task.extra])
    model = fit(
        [task.rows[i] for i in own] + [task.extra[i] for i in copied],
        stack(task.given.take(own), task.changed.take(copied)), task.words, task.seed,
    )  # fmt: skip
    said = model.logits(task.given.take(out))
    right = said.argmax(1) == labels([task.rows[i] for i in out])
    found = ", ".join(
        f"{name} {right[group[out] == list(GROUPS).index(name)].mean():.3f}" for name in names
    )
    print(f"  without: {found} right ({time.monotonic() - began:.0f} s)", flush=True)
    return out, said, _pairs(task, out[group[out] < len(REALISTIC)], group, model)


def hold_out(task: Folds) -> tuple[Labels, Floats]:
    """``HELD_OUT`` of the rows at random, and the logits [rows, 4] of a model that saw other
    prompts of the same sources, but neither these nor changed copies of them."""
    chance = np.random.default_rng(task.seed)
    held = chance.random(len(task.rows)) < HELD_OUT
    out, own = np.flatnonzero(held), np.flatnonzero(~held)
    names = {task.rows[i].id for i in out}
    copied = np.flatnonzero([row.id not in names for row in task.extra])
    model = fit(
        [task.rows[i] for i in own] + [task.extra[i] for i in copied],
        stack(task.given.take(own), task.changed.take(copied)), task.words, task.seed,
    )  # fmt: skip
    return out, model.logits(task.given.take(out))


def scaled(
    left: Left, rows: Sequence[Row]
) -> tuple[Scale, Floats, dict[str, tuple[Labels, Floats]]]:
    """The calibration; and the probabilities, each group's by one that never saw the group."""
    wanted, heavy = labels(rows), weights(rows)
    found = np.zeros_like(left.logits)
    pairs = {kind: np.zeros_like(said) for kind, (_, said) in left.pairs.items()}
    answered = left.logits.any(1)
    for number in range(len(GROUPS)):
        rest, out = answered & (left.group != number), left.group == number
        scale = fit_scale(left.logits[rest], wanted[rest], heavy[rest])
        found[out] = scale.probabilities(left.logits[out])
        for kind, (index, said) in left.pairs.items():
            here = left.group[index] == number
            pairs[kind][here] = scale.probabilities(said[here])
    final = fit_scale(left.logits[answered], wanted[answered], heavy[answered])
    return final, found, {kind: (left.pairs[kind][0], said) for kind, said in pairs.items()}


def _pairs(
    task: Folds, out: Labels, group: Labels, model: Network
) -> dict[str, tuple[Labels, Floats]]:
    chance = random.Random(task.seed)
    index = np.array([
        i
        for number in sorted(set(group[out]))
        for i in _some(out[group[out] == number], chance)
    ])  # fmt: skip
    found = {}
    for kind, change in CHANGES.items():
        texts = [change(task.rows[i].text, chance, MEASURED) for i in index]
        found[kind] = (index, model.logits(matrix(texts, task.reader)))
    return found


def _some(rows: Labels, chance: random.Random) -> list[int]:
    return sorted(chance.sample(rows.tolist(), min(PAIRS, len(rows))))


def _join(parts: list[tuple[Labels, Floats]]) -> tuple[Labels, Floats]:
    index, said = zip(*parts, strict=True)
    return np.concatenate(index), np.concatenate(said)
