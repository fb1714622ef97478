"""The small network on what the encoder makes of a text, in NumPy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from encoder import ENCODED
from matrix import Floats
from network import Adam, Average, Params
from scipy import special

CLASSES = 4
HIDDEN = 256
EPOCHS = 12
BATCH = 256
RATE = 1e-3
DROPOUT, SMOOTHING = 0.3, 0.05
AVERAGED_FROM, AVERAGED_EVERY = 0.5, 10


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
        slopes = _slopes(params, even[some], wanted[some], share, chance)
        adam.step(slopes, RATE * (1 - step / (EPOCHS * each)))
        if step >= AVERAGED_FROM * EPOCHS * each and step % AVERAGED_EVERY == 0:
            average.add(params)
    found = average.value()
    # Inputs were evened out, which the first layer does from now on.
    found["first"] = found["first"] / width[:, None]
    found["first_bias"] = found["first_bias"] - middle @ found["first"]
    return Head(found)


def _slopes(
    params: Params, inputs: Floats, wanted: Floats, share: Floats, chance: np.random.Generator
) -> Params:
    inputs = inputs * _kept(inputs.shape, chance)
    before = inputs @ params["first"] + params["first_bias"]
    mask = (before > 0) * _kept(before.shape, chance)
    hidden = before * mask
    logits = hidden @ params["second"] + params["second_bias"]
    error = (special.softmax(logits, axis=1) - wanted) * share[:, None]
    back = error @ params["second"].T * mask
    return {
        "first": inputs.T @ back, "first_bias": back.sum(0),
        "second": hidden.T @ error, "second_bias": error.sum(0),
    }  # fmt: skip


def _kept(shape: tuple[int, ...], chance: np.random.Generator) -> Floats:
    keep = np.float32(1 - DROPOUT)
    return (chance.random(shape, np.float32) < keep) / keep
