"""Prompts as the matrices that training works on; the features are the shipped package's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from prism.classify.features import BUCKETS, Features, features_of
from prism.classify.word_table import HEAD_WORDS, SENSE_BUCKETS, TAIL_WORDS, WordTable

Floats = NDArray[np.float32]

# Words that open and that end a text are pooled on their own, so many of each.
EDGE_WORDS = 12
# Two rows more than there are words: the network always sees a stretch of nothing.
LENGTH = HEAD_WORDS + TAIL_WORDS + 2
COLUMNS = 2 * BUCKETS + SENSE_BUCKETS


@dataclass(frozen=True, slots=True)
class Matrix:
    """``hashed``: CSR float32 [rows, COLUMNS]: tokens, grams, senses. ``dense``: float32
    [rows, pooled vectors and shape]. ``sequence``: int32 [rows, LENGTH] rows of the word
    table, filled up with its zero row."""

    hashed: sparse.csr_matrix
    dense: Floats
    sequence: NDArray[np.int32]

    def take(self, index: NDArray[np.int64]) -> Matrix:
        """The rows of ``index``, in its order."""
        return Matrix(self.hashed[index], self.dense[index], self.sequence[index])


@dataclass(frozen=True, slots=True)
class Words:
    """``table``: what the shipped code knows of words. ``vectors``: float32 [words + 1, size],
    the last 0. ``weights``: float32 [words + 1], what a word counts in a mean."""

    table: WordTable
    vectors: Floats
    weights: Floats


def matrix(texts: Sequence[str], words: Words) -> Matrix:
    """Compute the features of every text."""
    columns, values, ends, dense = [], [], [0], []
    sequence = np.full((len(texts), LENGTH), len(words.table.hashes), np.int32)
    for i, text in enumerate(texts):
        found = features_of(text)
        rows, senses = words.table.find(found.words)
        sequence[i, : len(rows)] = rows
        parts = [found.tokens, found.grams + BUCKETS, senses + 2 * BUCKETS]
        columns += parts
        values += [np.full(len(part), len(part) ** -0.5, np.float32) for part in parts]
        ends.append(ends[-1] + sum(map(len, parts)))
        dense.append(_dense(found, rows, words))
        if i % 10_000 == 9_999:
            print(f"  features of {i + 1:,} texts", flush=True)
    hashed = sparse.csr_matrix(
        (np.concatenate(values), np.concatenate(columns).astype(np.int32), ends),
        shape=(len(texts), COLUMNS),
    )
    return Matrix(hashed, np.stack(dense), sequence)


def stack(first: Matrix, second: Matrix) -> Matrix:
    """The rows of both, ``first`` above."""
    return Matrix(
        sparse.vstack([first.hashed, second.hashed]).tocsr(),
        np.concatenate([first.dense, second.dense]),
        np.concatenate([first.sequence, second.sequence]),
    )


def _dense(features: Features, rows: NDArray[np.int64], words: Words) -> Floats:
    """Weighted means (of all, of the first, of the last words), extremes, and the shape."""
    pooled = [_mean(part, words) for part in (rows, rows[:EDGE_WORDS], rows[-EDGE_WORDS:])]
    vectors = words.vectors[rows]
    return np.concatenate([*pooled, vectors.max(0), vectors.min(0), features.shape])


def _mean(rows: NDArray[np.int64], words: Words) -> Floats:
    weights = words.weights[rows]
    mean: Floats = weights @ words.vectors[rows] / (weights.sum() + 1e-6)
    return mean
