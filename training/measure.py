"""Calibration of logits, and how the words' answer and the encoder's go together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from prism.classify.doubt import Doubt
from prism.classify.quality import Floats, Labels

DOUBT = Doubt(sure_from=0.76, short_sure_from=0.95, short_words=3)
"""Of which texts the encoder is asked. It is a matter of time: with 0.80 prompts not written for a
task are read 0.001 better (macro-F1) for some 15 % more time, with 0.74 0.002 worse for 7 % less.
The words take "hello" for code: the shortest texts cost little to read again."""


@dataclass(frozen=True, slots=True)
class Looks:
    """What a model says of texts. ``words`` and ``encoded``: logits [texts, 4], from the words and
    from what the encoder makes of them. ``shape``: as ``Features`` has it."""

    words: Floats
    encoded: Floats
    shape: Floats

    def take(self, index: Labels | NDArray[np.bool_]) -> Looks:
        """Those of some texts."""
        return Looks(self.words[index], self.encoded[index], self.shape[index])

    @property
    def limits(self) -> Floats:
        """[texts], see ``Doubt.limits``."""
        return np.array(DOUBT.limits(self.shape), np.float32)


def join(parts: Sequence[Looks]) -> Looks:
    """One after the other."""
    return Looks(
        np.concatenate([part.words for part in parts]),
        np.concatenate([part.encoded for part in parts]),
        np.concatenate([part.shape for part in parts]),
    )


@dataclass(frozen=True, slots=True)
class Scale:
    """Calibration: one or two kinds of logits, each times a factor (one over the temperature, Guo
    et al. 2017), added. A bias for each class would fit the shares of the classes in our sources,
    which say nothing of others: with one, sources left out were read worse."""

    factors: tuple[float, ...]

    def probabilities(self, *logits: Floats) -> Floats:
        scaled = sum(factor * one for factor, one in zip(self.factors, logits, strict=True))
        return np.asarray(special.softmax(scaled, axis=1))


def fit_scale(logits: Sequence[Floats], labels: Labels, weights: Floats) -> Scale:
    """Least weighted cross-entropy on out-of-source logits."""
    share = weights / weights.sum()

    def loss(factors: NDArray[np.float64]) -> float:
        scaled = sum(factor * one for factor, one in zip(factors, logits, strict=True))
        logs = special.log_softmax(scaled, axis=1)[np.arange(len(labels)), labels]
        return float(-(logs @ share))

    start = np.full(len(logits), 1 / len(logits))
    found = optimize.minimize(loss, start, method="L-BFGS-B").x
    return Scale(tuple(float(factor) for factor in found))


@dataclass(frozen=True, slots=True)
class Cascade:
    """``words``: for the logits of the words alone. ``both``: for those of words and encoder, of
    texts that the words leave in doubt."""

    words: Scale
    both: Scale

    def doubted(self, said: Looks) -> NDArray[np.bool_]:
        """Of which texts the encoder is asked."""
        return _doubted(self.words, said)

    def probabilities(self, said: Looks) -> Floats:
        """Float32 [texts, CLASSES]."""
        found = self.words.probabilities(said.words)
        doubted = self.doubted(said)
        found[doubted] = self.both.probabilities(said.words[doubted], said.encoded[doubted])
        return found


def fit_cascade(said: Looks, labels: Labels, weights: Floats) -> Cascade:
    """Calibrate both looks on out-of-source logits, the second on what it is asked."""
    first = fit_scale([said.words], labels, weights)
    doubted = _doubted(first, said)
    both = [said.words[doubted], said.encoded[doubted]]
    return Cascade(first, fit_scale(both, labels[doubted], weights[doubted]))


def _doubted(words: Scale, said: Looks) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = words.probabilities(said.words).max(1) < said.limits
    return found
