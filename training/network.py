"""A small network: filters over three words in a row, pooled vectors, the look of the text."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matrix import Floats, Matrix
from numpy.typing import NDArray
from scipy import special

CLASSES = 4
FILTERS = 128
HIDDEN = 192
EPOCHS = 7
BATCH = 256
RATE = 2e-3
DECAY = 3e-4
DROPOUT = 0.3
# Share of the words of a prompt that are hidden from the filters in each round.
WORD_DROPOUT = 0.15
# Some labels are wrong: none is trusted wholly.
SMOOTHING = 0.03


@dataclass(frozen=True, slots=True)
class Network:
    """``vectors``: the word table's. ``mean``, ``scale`` standardise the dense part.
    ``params``: filters [3 * size, FILTERS] and their bias, then two layers with bias; the
    hidden one reads the dense part, then the filters."""

    vectors: Floats
    mean: Floats
    scale: Floats
    params: tuple[Floats, ...]

    def logits(self, rows: Matrix) -> Floats:
        """Float32 [rows, CLASSES]."""
        _, _, w1, b1, w2, b2 = self.params
        found = [np.zeros((0, CLASSES), np.float32)]
        for first in range(0, len(rows.dense), BATCH):
            part = slice(first, first + BATCH)
            _, _, seen = _filtered(self.vectors[rows.sequence[part]], self.params)
            inputs = np.concatenate([(rows.dense[part] - self.mean) * self.scale, seen], axis=1)
            found.append(np.maximum(inputs @ w1 + b1, 0) @ w2 + b2)
        return np.concatenate(found)


def fit_network(
    rows: Matrix, vectors: Floats, labels: NDArray[np.int64], weights: Floats, seed: int
) -> Network:
    """Adam with decoupled decay and a falling step; dropout on words, inputs, hidden layer."""
    chance = np.random.default_rng(seed)
    mean, scale = rows.dense.mean(0), 1 / (rows.dense.std(0) + 0.05)
    dense = ((rows.dense - mean) * scale).astype(np.float32)
    params = _start(chance, 3 * vectors.shape[1], dense.shape[1])
    adam = Adam(params)
    wanted = np.eye(CLASSES, dtype=np.float32)[labels] * (1 - SMOOTHING) + SMOOTHING / CLASSES
    steps, total = 0, EPOCHS * (len(dense) // BATCH + 1)
    for _ in range(EPOCHS):
        order = chance.permutation(len(dense))
        for first in range(0, len(order), BATCH):
            some = order[first : first + BATCH]
            seen = vectors[rows.sequence[some]]
            seen *= (chance.random(seen.shape[:2], np.float32) >= WORD_DROPOUT)[:, :, None]
            share = weights[some] / weights[some].sum()
            slopes = _slopes(params, seen, dense[some], wanted[some], share, chance)
            adam.step(slopes, RATE * (1 - steps / total))
            steps += 1
    return Network(vectors, mean, scale, tuple(params))


def _start(chance: np.random.Generator, window: int, wide: int) -> list[Floats]:
    def layer(inputs: int, outputs: int) -> list[Floats]:
        spread = chance.normal(0, inputs**-0.5, (inputs, outputs)).astype(np.float32)
        return [spread, np.zeros(outputs, np.float32)]

    return layer(window, FILTERS) + layer(wide + FILTERS, HIDDEN) + layer(HIDDEN, CLASSES)


def _filtered(
    seen: Floats, params: tuple[Floats, ...] | list[Floats]
) -> tuple[Floats, NDArray[np.int64], Floats]:
    """Windows [rows, places, 3 * size], the place where each filter is highest, how high."""
    nothing = np.zeros((len(seen), 1, seen.shape[2]), np.float32)
    padded = np.concatenate([nothing, seen, nothing], axis=1)
    windows = np.concatenate([padded[:, :-2], padded[:, 1:-1], padded[:, 2:]], axis=2)
    heights = windows @ params[0]
    top = heights.argmax(1)
    highest = np.take_along_axis(heights, top[:, None], axis=1)[:, 0]
    return windows, top, np.maximum(highest + params[1], 0)


def _slopes(
    params: list[Floats], seen: Floats, dense: Floats, wanted: Floats, share: Floats,
    chance: np.random.Generator,
) -> list[Floats]:  # fmt: skip
    _, _, w1, b1, w2, b2 = params
    windows, top, highest = _filtered(seen, params)
    inputs = np.concatenate([dense, highest], axis=1)
    kept = _kept(inputs.shape, chance)
    inputs = inputs * kept
    before = inputs @ w1 + b1
    mask = (before > 0) * _kept(before.shape, chance)
    hidden = before * mask
    error = (special.softmax(hidden @ w2 + b2, axis=1) - wanted) * share[:, None]
    back = error @ w2.T * mask
    to_filters = (back @ w1.T * kept)[:, -FILTERS:] * (highest > 0)
    # Only the window where a filter was highest has a say in its slope.
    chosen = windows[np.arange(len(top))[:, None], top]
    slope = np.einsum("bkd,bk->dk", chosen, to_filters, optimize=True)
    return [slope, to_filters.sum(0), inputs.T @ back, back.sum(0), hidden.T @ error, error.sum(0)]


def _kept(shape: tuple[int, ...], chance: np.random.Generator) -> Floats:
    keep = np.float32(1 - DROPOUT)
    return (chance.random(shape, np.float32) < keep) / keep


class Adam:
    """Adam (Kingma & Ba, 2015) with decoupled weight decay, over arrays changed in place."""

    def __init__(self, params: list[Floats]) -> None:
        self._params, self._count = params, 0
        self._first = [np.zeros_like(p) for p in params]
        self._second = [np.zeros_like(p) for p in params]

    def step(self, slopes: list[Floats], rate: float) -> None:
        """One step of size ``rate`` against ``slopes``."""
        self._count += 1
        fix = np.float32((1 - 0.999**self._count) ** 0.5 / (1 - 0.9**self._count))
        for p, g, m, v in zip(self._params, slopes, self._first, self._second, strict=True):
            m += np.float32(0.1) * (g - m)
            v += np.float32(0.001) * (g * g - v)
            p -= np.float32(rate) * (fix * m / (np.sqrt(v) + 1e-8) + np.float32(DECAY) * p)
