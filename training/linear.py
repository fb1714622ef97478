"""The linear model over hashed words, character n-grams and senses of words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matrix import Floats, Matrix
from numpy.typing import NDArray
from scipy import optimize, special

CLASSES = 4


@dataclass(frozen=True, slots=True)
class Linear:
    """``table``: float32 [COLUMNS, CLASSES]; ``bias``: [CLASSES]."""

    table: Floats
    bias: Floats

    def logits(self, rows: Matrix) -> Floats:
        """Float32 [rows, CLASSES]."""
        return np.asarray(rows.hashed @ self.table + self.bias)


def fit_linear(
    rows: Matrix, labels: NDArray[np.int64], weights: Floats, decay: float, rounds: int = 30
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
