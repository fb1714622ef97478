"""The network: each word's vector turned into what its neighbours and the text make of it.

All that is computed of one word alone is folded into the word table when the model is
exported, so that at run time a word costs one look-up and a few additions. In training it is
computed once for each word of a batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from matrix import Floats, Labels, Matrix
from numpy.typing import NDArray
from scipy import sparse, special

from prism.classify.features import MOST_WORDS, SHAPE

Params = dict[str, Floats]
Places = NDArray[np.int64]

CLASSES = 4
# Columns of the word table: three for each filter (for the word before, after, here), values
# that are averaged, and weights for averaging.
FILTERS, VALUES, HEADS = 32, 32, 2
COLUMNS = 3 * FILTERS + VALUES + HEADS
# Means are taken with every word alike, by distance from the start, by that from the end, and
# by each of the learned weights.
MEANS = 3 + HEADS
INPUTS = MEANS * VALUES + FILTERS + SHAPE
HIDDEN = 128
# How fast a word's weight falls with its distance from the start, or the end, of the text.
REACH = 8.0
# With a changed copy of each prompt. Twelve, with two copies, read prompts of public sets worse (a
# macro-F1 of 0.718 for 0.739) and were much too sure of them (decision record 38).
EPOCHS = 6
BATCH = 256
RATE = 2e-3
DECAY = 1e-2
# A word's own correction of what its vector says is held near nothing; rare ones get none.
OWN_DECAY = 3e-1
LEAST_COUNT = 4
DROPOUT, WORD_DROPOUT, SMOOTHING = 0.3, 0.15, 0.05
# The parameters are averaged over the last part of the training (Polyak & Juditsky, 1992):
# one run's chance matters less.
AVERAGED_FROM, AVERAGED_EVERY = 0.5, 10
# Texts of like length are read together.
LENGTHS = (16, 32, 64, MOST_WORDS)


@dataclass(frozen=True, slots=True)
class Network:
    """``vectors``: float32 [rows, size]. ``params``: arrays by name; ``project`` [size, COLUMNS]
    and ``own`` [rows, COLUMNS] make the word table."""

    vectors: Floats
    params: Params

    def table(self) -> Floats:
        """Float32 [rows, COLUMNS]: all that depends on one word alone; the first row is 0."""
        found: Floats = self.vectors @ self.params["project"] + self.params["own"]
        found[0] = 0
        return found

    def logits(self, rows: Matrix) -> Floats:
        """Float32 [texts, CLASSES]."""
        found = np.zeros((len(rows.words), CLASSES), np.float32)
        table = self.table()
        for some, width in _batches(rows.words, None):
            places = rows.words[some, :width].astype(np.int64)
            inputs = _Read(self.params, table, places, places > 0, rows.shape[some]).inputs
            hidden = np.maximum(inputs @ self.params["first"] + self.params["first_bias"], 0)
            found[some] = hidden @ self.params["second"] + self.params["second_bias"]
        return found


def fit_network(
    rows: Matrix, vectors: Floats, counts: Labels, targets: Floats, weights: Floats, seed: int
) -> Network:
    """Train on texts whose ``targets`` are probabilities [texts, CLASSES]."""
    chance = np.random.default_rng(seed)
    params = _start(chance, vectors.shape[1], len(vectors))
    adam, average = Adam(params), Average()
    wanted = (targets * (1 - SMOOTHING) + SMOOTHING / CLASSES).astype(np.float32)
    plan = [batch for _ in range(EPOCHS) for batch in _batches(rows.words, chance)]
    for step, (some, width) in enumerate(plan):
        rate = RATE * (1 - step / len(plan))
        share = weights[some] / weights[some].sum()
        kinds, found = np.unique(rows.words[some, :width], return_inverse=True)
        places = found.reshape(len(some), width)
        table = vectors[kinds] @ params["project"] + params["own"][kinds]
        # The first kind is nothing wherever a text is shorter than the widest.
        there = kinds[places] > 0
        table, places = _hide(table, places, there, chance)
        read = _Read(params, table, places, there, rows.shape[some])
        slopes, to_table = _slopes(params, read, wanted[some], share, chance)
        to_table = to_table[: len(kinds)]
        slopes["project"] = vectors[kinds].T @ to_table
        adam.step(slopes, rate)
        often = counts[kinds] >= LEAST_COUNT
        adam.step_rows("own", kinds[often], to_table[often], rate)
        if step >= AVERAGED_FROM * len(plan) and step % AVERAGED_EVERY == 0:
            average.add(params)
    return Network(vectors, average.value())


def _hide(
    table: Floats, places: Places, there: NDArray[np.bool_], chance: np.random.Generator
) -> tuple[Floats, Places]:
    """Some words are hidden in each round: they, and what is not there, become a row of 0."""
    shown = there & (chance.random(places.shape, np.float32) >= WORD_DROPOUT)
    padded = np.vstack([table, np.zeros((1, table.shape[1]), np.float32)])
    return padded, np.where(shown, places, len(table))


class _Read:
    """One batch of texts, read: ``inputs`` of the hidden layer, and what led to them."""

    def __init__(
        self, params: Params, table: Floats, places: Places, there: NDArray[np.bool_],
        shape: Floats,
    ) -> None:  # fmt: skip
        self.places, self.size = places, len(table)
        nothing = np.full((len(places), 1), len(table) - 1)
        if not table[0].any():
            nothing[:] = 0
        before, after, here, values, heads = np.split(
            table, np.cumsum([FILTERS, FILTERS, FILTERS, VALUES]), axis=1
        )
        self.before = np.concatenate([nothing, places[:, :-1]], axis=1)
        self.after = np.concatenate([places[:, 1:], nothing], axis=1)
        heights = before[self.before]
        heights += here[places]
        heights += after[self.after]
        heights[~there] = -1e9
        self.top = heights.argmax(1)
        highest = np.take_along_axis(heights, self.top[:, None], axis=1)[:, 0]
        seen = np.maximum(highest + params["bias"], 0)
        self.values = values[places]
        self.shares = _shares(heads[places], there)
        pooled = (self.shares @ self.values).reshape(len(places), -1)
        self.inputs = np.concatenate([pooled, seen, shape], axis=1)


def _shares(heads: Floats, there: NDArray[np.bool_]) -> Floats:
    """Float32 [texts, MEANS, places]: what each word counts in each of the means."""
    scores = np.empty((len(heads), MEANS, heads.shape[1]), np.float32)
    place = np.arange(heads.shape[1], dtype=np.float32) / REACH
    scores[:, 0] = 0
    scores[:, 1] = -place
    scores[:, 2] = place
    scores[:, 3:] = heads.transpose(0, 2, 1)
    scores += np.where(there, np.float32(0), np.float32(-1e9))[:, None]
    # A text of nothing has no word to count.
    scores -= scores.max(2, keepdims=True)
    shares = np.exp(scores)
    shares /= shares.sum(2, keepdims=True)
    return shares


def _slopes(
    params: Params, read: _Read, wanted: Floats, share: Floats, chance: np.random.Generator
) -> tuple[Params, Floats]:
    """Of all parameters but the table's; and of the table's rows."""
    slopes, to_inputs = layer_slopes(params, read.inputs, wanted, share, chance)
    pooled, seen = MEANS * VALUES, MEANS * VALUES + FILTERS
    to_filters = to_inputs[:, pooled:seen] * (read.inputs[:, pooled:seen] > 0)
    to_means = to_inputs[:, :pooled].reshape(-1, MEANS, VALUES)
    to_table = np.concatenate([_filter_slopes(read, to_filters), _mean_slopes(read, to_means)], 1)
    return slopes | {"bias": to_filters.sum(0)}, to_table


def layer_slopes(
    params: Params, inputs: Floats, wanted: Floats, share: Floats, chance: np.random.Generator
) -> tuple[Params, Floats]:
    """Of the hidden and the last layer; and of their inputs [texts, inputs]."""
    kept = _kept(inputs.shape, chance)
    inputs = inputs * kept
    before = inputs @ params["first"] + params["first_bias"]
    mask = (before > 0) * _kept(before.shape, chance)
    hidden = before * mask
    logits = hidden @ params["second"] + params["second_bias"]
    error = (special.softmax(logits, axis=1) - wanted) * share[:, None]
    back = error @ params["second"].T * mask
    return {
        "first": inputs.T @ back, "first_bias": back.sum(0),
        "second": hidden.T @ error, "second_bias": error.sum(0),
    }, back @ params["first"].T * kept  # fmt: skip


def _filter_slopes(read: _Read, to_filters: Floats) -> Floats:
    """Only the words where a filter was highest have a say in its slope."""
    columns = np.arange(FILTERS)
    parts = []
    for places in (read.before, read.after, read.places):
        chosen = np.take_along_axis(places, read.top, axis=1)
        spots = (chosen * FILTERS + columns).ravel()
        flat = np.bincount(spots, to_filters.ravel(), read.size * FILTERS)
        parts.append(flat.reshape(-1, FILTERS).astype(np.float32))
    return np.concatenate(parts, axis=1)


def _mean_slopes(read: _Read, to_means: Floats) -> Floats:
    to_values = read.shares.transpose(0, 2, 1) @ to_means
    learned = read.shares[:, 3:]
    to_shares = to_means[:, 3:] @ read.values.transpose(0, 2, 1)
    to_scores = learned * (to_shares - (learned * to_shares).sum(2, keepdims=True))
    flat = np.concatenate([to_values, to_scores.transpose(0, 2, 1)], axis=2)
    flat = flat.reshape(-1, VALUES + HEADS)
    spots = (read.places.ravel(), np.arange(len(flat)))
    ones = np.ones(len(flat), np.float32)
    found: Floats = sparse.csr_matrix((ones, spots), shape=(read.size, len(flat))) @ flat
    return found


def _batches(
    words: NDArray[np.int32], chance: np.random.Generator | None
) -> Iterator[tuple[Labels, int]]:
    """Texts of like length together, with their width; in random order with ``chance``."""
    many = np.maximum((words > 0).sum(1), 1)
    batches = []
    for shortest, width in zip((0, *LENGTHS), LENGTHS, strict=False):
        here = np.flatnonzero((many > shortest) & (many <= width))
        if chance is not None:
            chance.shuffle(here)
        batches += [(here[i : i + BATCH], width) for i in range(0, len(here), BATCH)]
    order = range(len(batches)) if chance is None else chance.permutation(len(batches))
    return (batches[i] for i in order)


def _start(chance: np.random.Generator, size: int, rows: int) -> Params:
    def layer(inputs: int, outputs: int) -> Floats:
        return chance.normal(0, inputs**-0.5, (inputs, outputs)).astype(np.float32)

    project = layer(size, COLUMNS)
    project[:, : 3 * FILTERS] /= np.float32(3**0.5)
    project[:, -HEADS:] *= np.float32(0.3)
    return {
        "project": project,
        "own": np.zeros((rows, COLUMNS), np.float32),
        "bias": np.zeros(FILTERS, np.float32),
        "first": layer(INPUTS, HIDDEN), "first_bias": np.zeros(HIDDEN, np.float32),
        "second": layer(HIDDEN, CLASSES), "second_bias": np.zeros(CLASSES, np.float32),
    }  # fmt: skip


def _kept(shape: tuple[int, ...], chance: np.random.Generator) -> Floats:
    keep = np.float32(1 - DROPOUT)
    return (chance.random(shape, np.float32) < keep) / keep


class Average:
    """The mean of parameters at several times."""

    def __init__(self) -> None:
        self._sum: Params = {}
        self._count = 0

    def add(self, params: Params) -> None:
        """Take the parameters as they are now into the mean."""
        self._count += 1
        if not self._sum:
            self._sum = {name: value.copy() for name, value in params.items()}
            return
        for name, value in params.items():
            self._sum[name] += value

    def value(self) -> Params:
        """The mean."""
        return {name: value / np.float32(self._count) for name, value in self._sum.items()}


class Adam:
    """Adam with decoupled weight decay (Loshchilov & Hutter, 2019), in place."""

    def __init__(self, params: Params) -> None:
        self._params, self._count = params, 0
        self._first = {name: np.zeros_like(p) for name, p in params.items()}
        self._second = {name: np.zeros_like(p) for name, p in params.items()}

    def step(self, slopes: Params, rate: float) -> None:
        """One step of size ``rate`` against ``slopes``."""
        self._count += 1
        for name, slope in slopes.items():
            self._move(name, slice(None), slope, rate, 0.0 if "bias" in name else DECAY)

    def step_rows(self, name: str, index: Labels, slope: Floats, rate: float) -> None:
        """The same for some rows of ``name`` only; the others do not move at all."""
        self._move(name, index, slope, rate, OWN_DECAY)

    def _move(
        self, name: str, index: slice | Labels, slope: Floats, rate: float, decay: float
    ) -> None:
        value = self._params[name]
        first, second = self._first[name], self._second[name]
        m = np.float32(0.9) * first[index] + np.float32(0.1) * slope
        v = np.float32(0.999) * second[index] + np.float32(0.001) * slope * slope
        first[index], second[index] = m, v
        fix = np.float32((1 - 0.999**self._count) ** 0.5 / (1 - 0.9**self._count))
        step = fix * m / (np.sqrt(v) + np.float32(1e-8)) + np.float32(decay) * value[index]
        value[index] -= np.float32(rate) * step
