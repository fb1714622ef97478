"""The network on what the encoder makes of the pieces of a text, in NumPy.

It reads means of the pieces: one in which all count alike, and some in which each piece counts as
much as a query, which is learnt, likes it. So it finds the ask in a text wherever that stands.
Means that know of no query, of three layers, of starts and of ends, read prompts of public sets
worse (decision record 38).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from encoder import SIZE, Halves
from matrix import Floats, Labels
from network import (
    AVERAGED_EVERY,
    AVERAGED_FROM,
    CLASSES,
    SMOOTHING,
    Adam,
    Average,
    Params,
    layer_slopes,
)
from numpy.typing import NDArray

# Learnt queries, and how many numbers are made of each one's mean.
QUERIES, VALUES = 16, 32
INPUTS = SIZE + QUERIES * VALUES
HIDDEN = 256
EPOCHS = 3
BATCH = 128
RATE = 1e-3
# Texts on which is measured how wide the numbers of pieces are.
MEASURED = 4_000
# Batches of texts of like length are cut from so many texts at a time.
SORTED = 50 * BATCH


@dataclass(frozen=True, slots=True)
class Head:
    """``params``: ``query`` [SIZE, QUERIES], ``values`` [QUERIES, SIZE, VALUES], ``first``
    [INPUTS, HIDDEN], ``second`` [HIDDEN, CLASSES], and the biases of the last two."""

    params: Params

    def logits(self, seen: Sequence[Halves]) -> Floats:
        """Float32 [texts, CLASSES] of texts, [pieces, SIZE] each."""
        found = np.zeros((len(seen), CLASSES), np.float32)
        for some in _batches(seen, None):
            inputs = _Read(self.params, *_filled(seen, some)).inputs(self.params)
            hidden = np.maximum(inputs @ self.params["first"] + self.params["first_bias"], 0)
            found[some] = hidden @ self.params["second"] + self.params["second_bias"]
        return found


def fit_head(seen: Sequence[Halves], targets: Floats, weights: Floats, seed: int) -> Head:
    """Train on texts, [pieces, SIZE] each, whose ``targets`` are probabilities [texts, CLASSES]."""
    chance = np.random.default_rng(seed)
    even = _Even(seen, chance)
    params = {
        # All pieces count alike at first.
        "query": np.zeros((SIZE, QUERIES), np.float32),
        "values": chance.normal(0, SIZE**-0.5, (QUERIES, SIZE, VALUES)).astype(np.float32),
        "first": chance.normal(0, INPUTS**-0.5, (INPUTS, HIDDEN)).astype(np.float32),
        "first_bias": np.zeros(HIDDEN, np.float32),
        "second": chance.normal(0, HIDDEN**-0.5, (HIDDEN, CLASSES)).astype(np.float32),
        "second_bias": np.zeros(CLASSES, np.float32),
    }
    adam, average = Adam(params), Average()
    wanted = (targets * (1 - SMOOTHING) + SMOOTHING / CLASSES).astype(np.float32)
    plan = [some for _ in range(EPOCHS) for some in _batches(seen, chance)]
    for step, some in enumerate(plan):
        x, there = _filled(seen, some)
        read = _Read(params, even.pieces(x), there)
        share = weights[some] / weights[some].sum()
        inputs = even.mean(read.inputs(params))
        slopes, to_inputs = layer_slopes(params, inputs, wanted[some], share, chance)
        slopes |= read.slopes(params, to_inputs[:, SIZE:])
        adam.step(slopes, RATE * (1 - step / len(plan)))
        if step >= AVERAGED_FROM * len(plan) and step % AVERAGED_EVERY == 0:
            average.add(params)
    return Head(even.undone(average.value()))


class _Read:
    """One batch of texts: what each piece counts, and the means. ``x``: float32
    [texts, pieces, SIZE]; ``there``: which of these are pieces and not filled up."""

    def __init__(self, params: Params, x: Floats, there: NDArray[np.bool_]) -> None:
        self.x = x
        scores = np.zeros((len(x), 1 + QUERIES, x.shape[1]), np.float32)
        scores[:, 1:] = (x @ params["query"]).transpose(0, 2, 1)
        scores += np.where(there, np.float32(0), np.float32(-1e9))[:, None]
        scores -= scores.max(2, keepdims=True)
        shares = np.exp(scores)
        shares /= shares.sum(2, keepdims=True)
        self.shares = shares
        self.means = shares @ x
        # By query, as ``values`` is.
        self.learnt = self.means[:, 1:].transpose(1, 0, 2)

    def inputs(self, params: Params) -> Floats:
        """Float32 [texts, INPUTS]."""
        made = (self.learnt @ params["values"]).transpose(1, 0, 2)
        return np.concatenate([self.means[:, 0], made.reshape(len(self.x), -1)], axis=1)

    def slopes(self, params: Params, to_made: Floats) -> Params:
        """Of queries and values, by those of what the values made."""
        back = to_made.reshape(-1, QUERIES, VALUES).transpose(1, 0, 2)
        to_means = (back @ params["values"].transpose(0, 2, 1)).transpose(1, 0, 2)
        shares = self.shares[:, 1:]
        to_shares = to_means @ self.x.transpose(0, 2, 1)
        to_scores = shares * (to_shares - (shares * to_shares).sum(2, keepdims=True))
        flat = to_scores.transpose(0, 2, 1).reshape(-1, QUERIES)
        return {
            "query": self.x.reshape(-1, SIZE).T @ flat,
            "values": self.learnt.transpose(0, 2, 1) @ back,
        }


class _Even:
    """Brings the numbers of pieces, and those of their mean, to a like width around 0."""

    def __init__(self, seen: Sequence[Halves], chance: np.random.Generator) -> None:
        some = [seen[i].astype(np.float32) for i in chance.permutation(len(seen))[:MEASURED]]
        pieces = np.concatenate(some)
        self._middle, self._width = pieces.mean(0), pieces.std(0) + np.float32(1e-4)
        means = self.pieces(np.stack([text.mean(0) for text in some]))
        self._mean, self._spread = means.mean(0), means.std(0) + np.float32(1e-4)

    def pieces(self, x: Floats) -> Floats:
        """Float32 [..., SIZE]."""
        found: Floats = (x - self._middle) / self._width
        return found

    def mean(self, inputs: Floats) -> Floats:
        """``_Read.inputs``, whose first columns are the mean of pieces."""
        inputs[:, :SIZE] = (inputs[:, :SIZE] - self._mean) / self._spread
        return inputs

    def undone(self, params: Params) -> Params:
        """Parameters that do the same with numbers as they come."""
        first, values = params["first"].copy(), params["values"] / self._width[:, None]
        first[:SIZE] /= (self._spread * self._width)[:, None]
        away = self._middle + self._mean * self._width
        # The same is taken off of all pieces, so a query need not know.
        query = params["query"] / self._width[:, None]
        bias = params["first_bias"] - away @ first[:SIZE]
        bias -= (self._middle @ values).reshape(-1) @ first[SIZE:]
        return params | {"query": query, "values": values, "first": first, "first_bias": bias}


def _filled(seen: Sequence[Halves], some: Labels) -> tuple[Floats, NDArray[np.bool_]]:
    """The pieces of some texts, filled up with 0, and which are pieces."""
    texts = [seen[i] for i in some]
    most = max(map(len, texts), default=0)
    x = np.zeros((len(texts), most, SIZE), np.float32)
    there = np.zeros((len(texts), most), np.bool_)
    for number, text in enumerate(texts):
        x[number, : len(text)] = text
        there[number, : len(text)] = True
    return x, there


def _batches(seen: Sequence[Halves], chance: np.random.Generator | None) -> Iterator[Labels]:
    """Numbers of texts of like length together; in random order with ``chance``."""
    many = np.array([len(text) for text in seen])
    order = np.arange(len(seen)) if chance is None else chance.permutation(len(seen))
    found = []
    for start in range(0, len(order), SORTED):
        part = order[start : start + SORTED]
        part = part[np.argsort(many[part], kind="stable")]
        found += [part[first : first + BATCH] for first in range(0, len(part), BATCH)]
    turns = range(len(found)) if chance is None else chance.permutation(len(found)).tolist()
    return (found[turn] for turn in turns)
