"""The small network on what the encoder makes of a text, in NumPy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from encoder import ENCODED
from matrix import Floats
from network import (
    AVERAGED_EVERY,
    AVERAGED_FROM,
    BATCH,
    CLASSES,
    SMOOTHING,
    Adam,
    Average,
    Params,
    layer_slopes,
)

HIDDEN = 256
EPOCHS = 12
RATE = 1e-3


@dataclass(frozen=True, slots=True)
class Head:
    """``params``: ``first`` [ENCODED, HIDDEN], ``second`` [HIDDEN, CLASSES], and their biases."""

    params: Params

    def logits(self, encoded: Floats) -> Floats:
        """Float32 [texts, CLASSES]."""
        hidden = np.maximum(encoded @ self.params["first"] + self.params["first_bias"], 0)
        found: Floats = hidden @ self.params["second"] + self.params["second_bias"]
        return found


def fit_head(encoded: Floats, targets: Floats, weights: Floats, seed: int) -> Head:
    """Train on texts whose ``targets`` are probabilities [texts, CLASSES]."""
    chance = np.random.default_rng(seed)
    middle, width = encoded.mean(0), encoded.std(0) + np.float32(1e-4)
    even = (encoded - middle) / width
    params = {
        "first": chance.normal(0, ENCODED**-0.5, (ENCODED, HIDDEN)).astype(np.float32),
        "first_bias": np.zeros(HIDDEN, np.float32),
        "second": chance.normal(0, HIDDEN**-0.5, (HIDDEN, CLASSES)).astype(np.float32),
        "second_bias": np.zeros(CLASSES, np.float32),
    }
    adam, average = Adam(params), Average()
    wanted = (targets * (1 - SMOOTHING) + SMOOTHING / CLASSES).astype(np.float32)
    each = len(even) // BATCH
    for step in range(EPOCHS * each):
        if step % each == 0:
            order = chance.permutation(len(even))
        some = order[step % each * BATCH :][:BATCH]
        share = weights[some] / weights[some].sum()
        slopes, _ = layer_slopes(params, even[some], wanted[some], share, chance)
        adam.step(slopes, RATE * (1 - step / (EPOCHS * each)))
        if step >= AVERAGED_FROM * EPOCHS * each and step % AVERAGED_EVERY == 0:
            average.add(params)
    found = average.value()
    # Inputs were evened out, which the first layer does from now on.
    found["first"] = found["first"] / width[:, None]
    found["first_bias"] = found["first_bias"] - middle @ found["first"]
    return Head(found)
