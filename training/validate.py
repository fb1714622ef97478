"""Leaves groups of sources out in turn and keeps what the models say of them."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from augment import CHANGES
from fit import Linear, Network, fit_linear, fit_network
from matrix import Matrix, Words, matrix
from measure import Floats, Labels, Mix, fit_mix
from rows import GROUPS, REALISTIC, Row, labels, weights
from scipy import sparse

DECAY = 1e-5
# How many prompts of each realistic group are changed in every way.
PAIRS = 100


@dataclass(frozen=True, slots=True)
class Answers:
    """The two models' logits, [rows, 4] each."""

    linear: Floats
    network: Floats

    def take(self, index: Labels) -> Answers:
        return Answers(self.linear[index], self.network[index])


@dataclass(frozen=True, slots=True)
class Left:
    """What models that never saw a row's group say of it.

    ``group``: the group's number in ``GROUPS``, per row. ``pairs``: per kind of change, the
    rows that were changed and the answers to the changed texts.
    """

    answers: Answers
    group: Labels
    pairs: dict[str, tuple[Labels, Answers]]


def fit(rows: Sequence[Row], given: Matrix, seed: int) -> tuple[Linear, Network]:
    """Train both models."""
    wanted, heavy = labels(rows), weights(rows)
    return (
        fit_linear(given, wanted, heavy, DECAY),
        fit_network(given, wanted, heavy, seed),
    )


def leave_out(
    rows: Sequence[Row],
    given: Matrix,
    extra: Sequence[Row],
    changed: Matrix,
    words: Words,
    seed: int,
) -> Left:
    """Train on all groups but one, answer for that one; ``extra`` are changed copies."""
    names = list(GROUPS)
    group = np.array([_group_of(row) for row in rows])
    extra_group = np.array([_group_of(row) for row in extra])
    found = Answers(np.zeros((len(rows), 4), np.float32), np.zeros((len(rows), 4), np.float32))
    pairs: dict[str, list[tuple[Labels, Answers]]] = {name: [] for name in CHANGES}
    for number, name in enumerate(names):
        began = time.monotonic()
        own, copied = np.flatnonzero(group != number), np.flatnonzero(extra_group != number)
        models = fit(
            [rows[i] for i in own] + [extra[i] for i in copied],
            stack(given.take(own), changed.take(copied)), seed,
        )  # fmt: skip
        out = np.flatnonzero(group == number)
        said = _answers(models, given.take(out))
        found.linear[out], found.network[out] = said.linear, said.network
        if name in REALISTIC:
            for kind, part in _pairs(rows, out, models, words, seed).items():
                pairs[kind].append(part)
        right = (said.linear + said.network).argmax(1) == labels([rows[i] for i in out])
        spent = time.monotonic() - began
        print(
            f"  without {name}: {len(out)} rows, {right.mean():.3f} right, {spent:.0f} s",
            flush=True,
        )
    return Left(found, group, {kind: _join(parts) for kind, parts in pairs.items()})


def mixed(left: Left, rows: Sequence[Row]) -> tuple[Mix, Floats, dict[str, tuple[Labels, Floats]]]:
    """The final mix; and the probabilities, each group's by a mix that never saw the group."""
    wanted, heavy = labels(rows), weights(rows)
    found = np.zeros_like(left.answers.linear)
    pairs = {kind: np.zeros_like(said.linear) for kind, (_, said) in left.pairs.items()}
    for number in range(len(GROUPS)):
        rest, out = left.group != number, left.group == number
        part = left.answers.take(np.flatnonzero(rest))
        mix = fit_mix(part.linear, part.network, wanted[rest], heavy[rest])
        own = left.answers.take(np.flatnonzero(out))
        found[out] = mix.probabilities(own.linear, own.network)
        for kind, (index, said) in left.pairs.items():
            here = np.flatnonzero(left.group[index] == number)
            pairs[kind][here] = mix.probabilities(said.linear[here], said.network[here])
    final = fit_mix(left.answers.linear, left.answers.network, wanted, heavy)
    return final, found, {kind: (left.pairs[kind][0], said) for kind, said in pairs.items()}


def _group_of(row: Row) -> int:
    return next(i for i, sources in enumerate(GROUPS.values()) if row.source in sources)


def _answers(models: tuple[Linear, Network], given: Matrix) -> Answers:
    return Answers(models[0].logits(given), models[1].logits(given))


def stack(first: Matrix, second: Matrix) -> Matrix:
    """The rows of both, ``first`` above."""
    hashed = sparse.vstack([first.hashed, second.hashed]).tocsr()
    return Matrix(hashed, np.concatenate([first.dense, second.dense]))


def _pairs(
    rows: Sequence[Row], out: Labels, models: tuple[Linear, Network], words: Words, seed: int
) -> dict[str, tuple[Labels, Answers]]:
    chance = random.Random(seed)
    index = np.array(sorted(chance.sample(list(out), min(PAIRS, len(out)))))
    found = {}
    for kind, change in CHANGES.items():
        texts = [change(rows[i].text, chance) for i in index]
        found[kind] = (index, _answers(models, matrix(texts, words)))
    return found


def _join(parts: list[tuple[Labels, Answers]]) -> tuple[Labels, Answers]:
    return (
        np.concatenate([index for index, _ in parts]),
        Answers(
            np.concatenate([said.linear for _, said in parts]),
            np.concatenate([said.network for _, said in parts]),
        ),
    )
