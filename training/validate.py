"""Leaves groups of sources out in turn and keeps what the models say of them."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
from augment import CHANGES
from linear import Linear, fit_linear
from matrix import Matrix, Words, matrix, stack
from measure import Floats, Labels, Mix, fit_mix
from network import Network, fit_network
from rows import GROUPS, REALISTIC, Row, labels, weights

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


@dataclass(frozen=True, slots=True)
class Folds:
    """All that the folds share: prompts, changed copies of some, the word table, the seed."""

    rows: Sequence[Row]
    given: Matrix
    extra: Sequence[Row]
    changed: Matrix
    words: Words
    seed: int


def fit(rows: Sequence[Row], given: Matrix, words: Words, seed: int) -> tuple[Linear, Network]:
    """Train both models."""
    wanted, heavy = labels(rows), weights(rows)
    return (
        fit_linear(given, wanted, heavy, DECAY),
        fit_network(given, words.vectors, wanted, heavy, seed),
    )


def leave_out(task: Folds, jobs: int) -> Left:
    """Train on all groups but one, answer for that one; ``jobs`` groups at a time."""
    group = np.array([_group_of(row) for row in task.rows])
    size = (len(task.rows), 4)
    found = Answers(np.zeros(size, np.float32), np.zeros(size, np.float32))
    pairs: dict[str, list[tuple[Labels, Answers]]] = {name: [] for name in CHANGES}
    # Forked, so that the matrices are shared and not sent.
    _SHARED.append(task)
    with ProcessPoolExecutor(jobs, mp_context=get_context("fork")) as pool:
        for number, (said, changed) in enumerate(pool.map(_fold, range(len(GROUPS)))):
            out = np.flatnonzero(group == number)
            found.linear[out], found.network[out] = said.linear, said.network
            for kind, part in changed.items():
                pairs[kind].append(part)
    _SHARED.clear()
    return Left(found, group, {kind: _join(parts) for kind, parts in pairs.items()})


_SHARED: list[Folds] = []


def _fold(number: int) -> tuple[Answers, dict[str, tuple[Labels, Answers]]]:
    """What models trained without a group say of it, and of its prompts changed."""
    began, (task,) = time.monotonic(), _SHARED
    name = list(GROUPS)[number]
    group = np.array([_group_of(row) for row in task.rows])
    own = np.flatnonzero(group != number)
    copied = np.flatnonzero([_group_of(row) != number for row in task.extra])
    models = fit(
        [task.rows[i] for i in own] + [task.extra[i] for i in copied],
        stack(task.given.take(own), task.changed.take(copied)), task.words, task.seed,
    )  # fmt: skip
    out = np.flatnonzero(group == number)
    said = _answers(models, task.given.take(out))
    wanted = labels([task.rows[i] for i in out])
    right = [(part.argmax(1) == wanted).mean() for part in (said.linear, said.network)]
    both = ((said.linear + said.network).argmax(1) == wanted).mean()
    took = f"{len(out)} rows, {time.monotonic() - began:.0f} s"
    print(f"  without {name}: {right[0]:.3f} {right[1]:.3f} {both:.3f} ({took})", flush=True)
    changed = _pairs(task, out, models) if name in REALISTIC else {}
    return said, changed


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


def _pairs(
    task: Folds, out: Labels, models: tuple[Linear, Network]
) -> dict[str, tuple[Labels, Answers]]:
    chance = random.Random(task.seed)
    index = np.array(sorted(chance.sample(list(out), min(PAIRS, len(out)))))
    found = {}
    for kind, change in CHANGES.items():
        texts = [change(task.rows[i].text, chance) for i in index]
        found[kind] = (index, _answers(models, matrix(texts, task.words)))
    return found


def _join(parts: list[tuple[Labels, Answers]]) -> tuple[Labels, Answers]:
    return (
        np.concatenate([index for index, _ in parts]),
        Answers(
            np.concatenate([said.linear for _, said in parts]),
            np.concatenate([said.network for _, said in parts]),
        ),
    )
