"""Calibration of a model's logits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from prism.classify.quality import Floats, Labels


@dataclass(frozen=True, slots=True)
class Scale:
    """Calibration: logits times ``factor`` (one over the temperature, Guo et al. 2017), plus
    ``bias`` [CLASSES]."""

    factor: float
    bias: Floats

    def probabilities(self, logits: Floats) -> Floats:
        return np.asarray(special.softmax(self.factor * logits + self.bias, axis=1))


def fit_scale(logits: Floats, labels: Labels, weights: Floats) -> Scale:
    """Least weighted cross-entropy on out-of-source logits."""
    share = weights / weights.sum()

    def loss(params: NDArray[np.float64]) -> float:
        scaled = params[0] * logits + np.append(0, params[1:])
        logs = special.log_softmax(scaled, axis=1)[np.arange(len(labels)), labels]
        return float(-(logs @ share) + 1e-3 * (params[1:] ** 2).sum())

    found = optimize.minimize(loss, np.array([1.0, 0, 0, 0]), method="L-BFGS-B").x
    return Scale(float(found[0]), np.append(0, found[1:]).astype(np.float32))
