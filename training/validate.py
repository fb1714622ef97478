"""Leaves sources out in turn, some groups at a time, and keeps what models say of them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from augment import CHANGES, MEASURED, bare
from encoder import Encoded
from head import Head, fit_head
from matrix import Floats, Labels, Matrix, matrix, stack
from measure import Cascade, Looks, fit_cascade, join
from network import Network, fit_network
from numpy.typing import NDArray
from rows import (
    GROUPS,
    REALISTIC,
    Row,
    group_of,
    groups_of,
    labels,
    original,
    parts,
    translations,
    weights,
)
from words import Words

from prism.classify.features import SHAPE, Reader
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

    ``said``: of each row. ``answered``: which rows were answered for. ``group``: the group's
    number in ``GROUPS``, per row. ``pairs``: per kind of change, the rows that were changed and
    what is said of the changed texts.
    """

    said: Looks
    answered: NDArray[np.bool_]
    group: Labels
    pairs: dict[str, tuple[Labels, Looks]]


@dataclass(frozen=True, slots=True)
class Fitted:
    """Both networks."""

    network: Network
    head: Head

    def looks(self, given: Matrix) -> Looks:
        """What both say."""
        return Looks(self.network.logits(given), self.head.logits(given.encoded), given.shape)


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


Fold = tuple[Labels, Looks, dict[str, tuple[Labels, Looks]]]
"""The rows of some groups, what a model that never saw these says of them, and of their prompts
changed, per kind of change."""


def left_out(task: Folds, found: Sequence[Fold]) -> Left:
    """What ``fold`` found of each fold. Where these are not all of ``FOLDS``, the rows of the
    others have logits of 0 and are not ``answered``."""
    group = np.array([group_of(row) for row in task.rows])
    kinds = (*CHANGES, CODE_ALONE, ANOTHER_LANGUAGE)
    answered = np.concatenate([out for out, _, _ in found])
    said, out = _filled(len(group), answered, join([said for _, said, _ in found]))
    pairs = {kind: _join([changed[kind] for _, _, changed in found]) for kind in kinds}
    return Left(said, out, group, pairs)


def _filled(rows: int, index: Labels, said: Looks) -> tuple[Looks, NDArray[np.bool_]]:
    """What is said of some rows, in a place for all, and which they are."""
    words, encoded = (np.zeros((rows, CLASSES), np.float32) for _ in range(2))
    shape, answered = np.zeros((rows, SHAPE), np.float32), np.zeros(rows, np.bool_)
    words[index], encoded[index], shape[index] = said.words, said.encoded, said.shape
    answered[index] = True
    return Looks(words, encoded, shape), answered


def fold(task: Folds, names: Sequence[str]) -> Fold:
    """Train without some groups, and answer for them."""
    left = {list(GROUPS).index(name) for name in names}
    group = np.array([group_of(row) for row in task.rows])
    inside = np.isin(group, list(left))
    own, out = np.flatnonzero(~inside), np.flatnonzero(inside)
    copied = np.flatnonzero([left.isdisjoint(groups_of(row)) for row in task.extra])
    model = fit(
        [task.rows[i] for i in own] + [task.extra[i] for i in copied],
        stack(task.given.take(own), task.changed.take(copied)), task.words, task.seed,
    )  # fmt: skip
    said = model.looks(task.given.take(out))
    # Both count alike here; how much each is to count is found when all have been left out.
    right = (said.words + said.encoded).argmax(1) == labels([task.rows[i] for i in out])
    found = ", ".join(
        f"{name} {right[group[out] == list(GROUPS).index(name)].mean():.3f}" for name in names
    )
    print(f"  without: {found} right", flush=True)
    return out, said, _pairs(task, out[group[out] < len(REALISTIC)], group, model)


def hold_out(task: Folds) -> tuple[Labels, Looks]:
    """``HELD_OUT`` of the rows at random, and what a model says of them that saw other
    prompts of the same sources, but neither these, changed copies nor translations of them."""
    chance = np.random.default_rng(task.seed)
    held = chance.random(len(task.rows)) < HELD_OUT
    out, own = np.flatnonzero(held), np.flatnonzero(~held)
    names = {task.rows[i].id for i in out}
    copied = np.flatnonzero([original(row) not in names for row in task.extra])
    model = fit(
        [task.rows[i] for i in own] + [task.extra[i] for i in copied],
        stack(task.given.take(own), task.changed.take(copied)), task.words, task.seed,
    )  # fmt: skip
    return out, model.looks(task.given.take(out))


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
    # Prompts written for a task are clearer than what people ask: a model that was calibrated on
    # these too was surer of the others than it was right (an error of 0.041 instead of 0.024).
    part = parts(left.group)
    written = part["realistic"] & ~part["realistic, not written for a task"]
    wanted, heavy = labels(rows), np.where(written, np.float32(0), weights(rows))
    found = np.zeros((len(rows), CLASSES), np.float32)
    words, doubted = found.copy(), np.zeros(len(rows), np.bool_)
    pairs = {kind: np.zeros((len(index), CLASSES), np.float32)
             for kind, (index, _) in left.pairs.items()}  # fmt: skip
    for number in range(len(GROUPS)):
        rest, out = left.answered & (left.group != number), left.group == number
        cascade = fit_cascade(left.said.take(rest), wanted[rest], heavy[rest])
        said = left.said.take(out)
        found[out] = cascade.probabilities(said)
        doubted[out] = cascade.doubted(said)
        words[out] = cascade.words.probabilities(said.words)
        for kind, (index, changed) in left.pairs.items():
            here = left.group[index] == number
            pairs[kind][here] = cascade.probabilities(changed.take(here))
    every = left.answered
    final = fit_cascade(left.said.take(every), wanted[every], heavy[every])
    kinds = {kind: (left.pairs[kind][0], changed) for kind, changed in pairs.items()}
    return Scaled(final, found, kinds, doubted, words)


def _pairs(
    task: Folds, out: Labels, group: Labels, model: Fitted
) -> dict[str, tuple[Labels, Looks]]:
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


def _said(task: Folds, model: Fitted, texts: Sequence[tuple[int, str]]) -> tuple[Labels, Looks]:
    index = np.array([i for i, _ in texts], np.int64)
    return index, model.looks(matrix([text for _, text in texts], task.reader, task.encoder))


def _some(rows: Labels, chance: random.Random) -> list[int]:
    return sorted(chance.sample(rows.tolist(), min(PAIRS, len(rows))))


def _join(parts: list[tuple[Labels, Looks]]) -> tuple[Labels, Looks]:
    index, said = zip(*parts, strict=True)
    return np.concatenate(index), join(said)
