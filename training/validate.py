"""Leaves sources out in turn, some groups at a time, and keeps what models say of them."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
from augment import CHANGES, MEASURED, bare
from encoder import Encoded
from head import Head, fit_head
from matrix import Floats, Labels, Matrix, matrix, stack
from measure import Cascade, fit_cascade
from network import Network, fit_network
from numpy.typing import NDArray
from rows import FOLDS, GROUPS, REALISTIC, Row, group_of, labels, translations, weights
from words import Words

from prism.classify.features import Reader
from prism.classify.quality import CLASSES
from prism.routing.catalog import Task

ANOTHER_LANGUAGE = "another language"
CODE_ALONE = "code without a question"
# How many prompts of each realistic group are changed in every way.
PAIRS = 100
# Share of the prompts that are held out where sources are not.
HELD_OUT = 0.1


@dataclass(frozen=True, slots=True)
class Left:
    """What models that never saw a row's group say of it.

    ``logits``: [rows, 2, 4], from the words and from what the encoder makes of them. ``group``: the
    group's number in ``GROUPS``, per row. ``pairs``: per kind of change, the rows that were changed
    and the logits of the changed texts.
    """

    logits: Floats
    group: Labels
    pairs: dict[str, tuple[Labels, Floats]]


@dataclass(frozen=True, slots=True)
class Fitted:
    """Both networks."""

    network: Network
    head: Head

    def logits(self, given: Matrix) -> Floats:
        """Float32 [texts, 2, 4]: from the words, and from what the encoder makes of them."""
        return np.stack([self.network.logits(given), self.head.logits(given.encoded)], axis=1)


@dataclass(frozen=True, slots=True)
class Folds:
    """All that the folds share: prompts, changed copies of some, the words, the seed."""

    rows: Sequence[Row]
    given: Matrix
    extra: Sequence[Row]
    changed: Matrix
    words: Words
    reader: Reader
    encoder: Encoded
    seed: int


def fit(rows: Sequence[Row], given: Matrix, words: Words, seed: int) -> Fitted:
    """Train on labelled prompts and their features."""
    targets, heavy = np.eye(CLASSES, dtype=np.float32)[labels(rows)], weights(rows)
    network = fit_network(given, words.vectors, words.counts, targets, heavy, seed)
    return Fitted(network, fit_head(given.encoded, targets, heavy, seed))


def leave_out(task: Folds, jobs: int, folds: Sequence[Sequence[str]] = FOLDS) -> Left:
    """For each fold, train on all else and answer for it; ``jobs`` folds at a time.

    With some of the folds only, the rows of the others have logits of 0.
    """
    group = np.array([group_of(row) for row in task.rows])
    logits = np.zeros((len(task.rows), 2, CLASSES), np.float32)
    kinds = (*CHANGES, CODE_ALONE, ANOTHER_LANGUAGE)
    pairs: dict[str, list[tuple[Labels, Floats]]] = {name: [] for name in kinds}
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
    # Both count alike here; how much each is to count is found when all have been left out.
    right = said.sum(1).argmax(1) == labels([task.rows[i] for i in out])
    found = ", ".join(
        f"{name} {right[group[out] == list(GROUPS).index(name)].mean():.3f}" for name in names
    )
    print(f"  without: {found} right ({time.monotonic() - began:.0f} s)", flush=True)
    return out, said, _pairs(task, out[group[out] < len(REALISTIC)], group, model)


def hold_out(task: Folds) -> tuple[Labels, Floats]:
    """``HELD_OUT`` of the rows at random, and the logits [rows, 2, 4] of a model that saw other
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


@dataclass(frozen=True, slots=True)
class Scaled:
    """``cascade``: the calibration on all sources. ``probabilities``: [rows, 4], each group's by
    one that never saw the group; ``pairs``: as ``Left.pairs``, with these. ``doubted``: of which
    rows the encoder is asked. ``words``: the probabilities from the words alone."""

    cascade: Cascade
    probabilities: Floats
    pairs: dict[str, tuple[Labels, Floats]]
    doubted: NDArray[np.bool_]
    words: Floats


def scaled(left: Left, rows: Sequence[Row]) -> Scaled:
    """Calibrate what models say of rows that they never saw."""
    wanted, heavy = labels(rows), weights(rows)
    found = np.zeros((len(rows), CLASSES), np.float32)
    words, doubted = found.copy(), np.zeros(len(rows), np.bool_)
    pairs = {kind: np.zeros((len(index), CLASSES), np.float32)
             for kind, (index, _) in left.pairs.items()}  # fmt: skip
    answered = left.logits.any((1, 2))
    for number in range(len(GROUPS)):
        rest, out = answered & (left.group != number), left.group == number
        cascade = _cascade(left.logits[rest], wanted[rest], heavy[rest])
        found[out] = cascade.probabilities(*_both(left.logits[out]))
        doubted[out] = cascade.doubted(left.logits[out, 0])
        words[out] = cascade.words.probabilities(left.logits[out, 0])
        for kind, (index, said) in left.pairs.items():
            here = left.group[index] == number
            pairs[kind][here] = cascade.probabilities(*_both(said[here]))
    final = _cascade(left.logits[answered], wanted[answered], heavy[answered])
    kinds = {kind: (left.pairs[kind][0], said) for kind, said in pairs.items()}
    return Scaled(final, found, kinds, doubted, words)


def _cascade(logits: Floats, wanted: Labels, heavy: Floats) -> Cascade:
    return fit_cascade(*_both(logits), wanted, heavy)


def _both(logits: Floats) -> tuple[Floats, Floats]:
    return logits[:, 0], logits[:, 1]


def _pairs(
    task: Folds, out: Labels, group: Labels, model: Fitted
) -> dict[str, tuple[Labels, Floats]]:
    chance = random.Random(task.seed)
    index = [
        i
        for number in sorted(set(group[out]))
        for i in _some(out[group[out] == number], chance)
    ]  # fmt: skip
    found = {}
    for kind, change in CHANGES.items():
        texts = [(i, change(task.rows[i].text, chance, MEASURED)) for i in index]
        found[kind] = _said(task, model, texts)
    coded = [(i, bare(task.rows[i].text)) for i in out if task.rows[i].label is Task.CODE]
    found[CODE_ALONE] = _said(task, model, [(i, code) for i, code in coded if code is not None])
    in_languages = translations()
    told = [(i, text) for i in out for text in in_languages.get(task.rows[i].id, ())]
    found[ANOTHER_LANGUAGE] = _said(task, model, told)
    return found


def _said(task: Folds, model: Fitted, texts: Sequence[tuple[int, str]]) -> tuple[Labels, Floats]:
    index = np.array([i for i, _ in texts], np.int64)
    given = matrix([text for _, text in texts], task.reader, task.encoder)
    return index, model.logits(given) if texts else np.zeros((0, 2, CLASSES), np.float32)


def _some(rows: Labels, chance: random.Random) -> list[int]:
    return sorted(chance.sample(rows.tolist(), min(PAIRS, len(rows))))


def _join(parts: list[tuple[Labels, Floats]]) -> tuple[Labels, Floats]:
    index, said = zip(*parts, strict=True)
    return np.concatenate(index), np.concatenate(said)
