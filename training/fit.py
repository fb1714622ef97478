"""Two models: a linear one over hashed n-grams, a small network over word vectors and shape."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matrix import Matrix
from numpy.typing import NDArray
from scipy import optimize, special

Floats = NDArray[np.float32]
CLASSES = 4


@dataclass(frozen=True, slots=True)
class Linear:
    """``table``: float32 [2 * BUCKETS, CLASSES]; ``bias``: [CLASSES]."""

    table: Floats
    bias: Floats

    def logits(self, rows: Matrix) -> Floats:
        return np.asarray(rows.hashed @ self.table + self.bias)


@dataclass(frozen=True, slots=True)
class Network:
    """Standardised input (``mean``, ``scale``), one hidden layer with ReLU."""

    mean: Floats
    scale: Floats
    layers: tuple[Floats, Floats, Floats, Floats]

    def logits(self, rows: Matrix) -> Floats:
        w1, b1, w2, b2 = self.layers
        hidden = np.maximum((rows.dense - self.mean) * self.scale @ w1 + b1, 0)
        return np.asarray(hidden @ w2 + b2)


def fit_linear(
    rows: Matrix, labels: NDArray[np.int64], weights: Floats, decay: float, rounds: int = 40
) -> Linear:
    """Multinomial logistic regression with L2 by L-BFGS over the buckets in use."""
    used = np.unique(rows.hashed.indices)
    inputs = rows.hashed[:, used]
    turned = inputs.T.tocsr()
    wanted = np.eye(CLASSES, dtype=np.float32)[labels]
    share = (weights / weights.sum()).astype(np.float32)
    size = len(used) * CLASSES

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        table = flat[:size].reshape(-1, CLASSES).astype(np.float32)
        logs = special.log_softmax(inputs @ table + flat[size:].astype(np.float32), axis=1)
        error = (np.exp(logs) - wanted) * share[:, None]
        slope = turned @ error + decay * table
        value = -(logs * wanted).sum(1) @ share + decay / 2 * (table**2).sum()
        return float(value), np.concatenate([slope.ravel(), error.sum(0)]).astype(np.float64)

    found = optimize.minimize(
        loss, np.zeros(size + CLASSES), jac=True, method="L-BFGS-B",
        options={"maxiter": rounds, "maxcor": 6},
    ).x.astype(np.float32)  # fmt: skip
    table = np.zeros((rows.hashed.shape[1], CLASSES), np.float32)
    table[used] = found[:size].reshape(-1, CLASSES)
    return Linear(table, found[size:])


def fit_network(
    rows: Matrix, labels: NDArray[np.int64], weights: Floats, seed: int,
    hidden: int = 96, epochs: int = 14, dropout: float = 0.3, decay: float = 3e-4,
) -> Network:  # fmt: skip
    """Adam with decoupled decay, dropout on input and hidden layer, a falling step."""
    chance = np.random.default_rng(seed)
    mean, scale = rows.dense.mean(0), 1 / (rows.dense.std(0) + 0.05)
    inputs = ((rows.dense - mean) * scale).astype(np.float32)
    wide = inputs.shape[1]
    params = [
        chance.normal(0, wide**-0.5, (wide, hidden)).astype(np.float32),
        np.zeros(hidden, np.float32),
        chance.normal(0, hidden**-0.5, (hidden, CLASSES)).astype(np.float32),
        np.zeros(CLASSES, np.float32),
    ]
    adam = Adam(params, decay)
    wanted = np.eye(CLASSES, dtype=np.float32)[labels] * 0.97 + 0.03 / CLASSES
    batch, steps = 256, 0
    total = epochs * (len(inputs) // batch + 1)
    for _ in range(epochs):
        order = chance.permutation(len(inputs))
        for first in range(0, len(order), batch):
            some = order[first : first + batch]
            slopes = _slopes(params, inputs[some], wanted[some], weights[some], dropout, chance)
            adam.step(slopes, 2e-3 * (1 - steps / total))
            steps += 1
    return Network(mean, scale, (params[0], params[1], params[2], params[3]))


def _slopes(
    params: list[Floats], x: Floats, wanted: Floats, weights: Floats, dropout: float,
    chance: np.random.Generator,
) -> list[Floats]:  # fmt: skip
    w1, b1, w2, b2 = params
    keep = np.float32(1 - dropout)
    x = x * ((chance.random(x.shape, np.float32) < keep) / keep)
    before = x @ w1 + b1
    mask = (before > 0) * ((chance.random(before.shape, np.float32) < keep) / keep)
    hidden = before * mask
    error = special.softmax(hidden @ w2 + b2, axis=1) - wanted
    error *= (weights / weights.sum())[:, None]
    back = error @ w2.T * mask
    return [x.T @ back, back.sum(0), hidden.T @ error, error.sum(0)]


class Adam:
    """Adam (Kingma & Ba, 2015) with decoupled weight decay, over arrays changed in place."""

    def __init__(self, params: list[Floats], decay: float) -> None:
        self._params, self._decay, self._count = params, decay, 0
        self._first = [np.zeros_like(p) for p in params]
        self._second = [np.zeros_like(p) for p in params]

    def step(self, slopes: list[Floats], rate: float) -> None:
        self._count += 1
        fix = (1 - 0.999**self._count) ** 0.5 / (1 - 0.9**self._count)
        for p, g, m, v in zip(self._params, slopes, self._first, self._second, strict=True):
            m += 0.1 * (g - m)
            v += 0.001 * (g * g - v)
            p -= np.float32(rate) * (np.float32(fix) * m / (np.sqrt(v) + 1e-8) + self._decay * p)
