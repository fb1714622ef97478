"""Prompts as the matrices that training works on; the features are the shipped package's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from prism.classify.features import BUCKETS, Features, features_of

# Words that open and that end a text are pooled on their own, so many of each.
EDGE_WORDS = 12


@dataclass(frozen=True, slots=True)
class Matrix:
    """``hashed``: CSR float32 [rows, 2 * BUCKETS]. ``dense``: float32 [rows, DENSE]."""

    hashed: sparse.csr_matrix
    dense: NDArray[np.float32]

    def take(self, index: NDArray[np.int64]) -> Matrix:
        """The rows of ``index``, in its order."""
        return Matrix(self.hashed[index], self.dense[index])


@dataclass(frozen=True, slots=True)
class Words:
    """``hashes``: sorted uint32 [words]. ``vectors``: float32 [words + 1, size]; the last is 0.

    ``weights``: float32 [words + 1], what a word counts in a mean.
    """

    hashes: NDArray[np.uint32]
    vectors: NDArray[np.float32]
    weights: NDArray[np.float32]

    def find(self, hashes: NDArray[np.uint32]) -> NDArray[np.int64]:
        """Indices of the known words among ``hashes``, in order; one 0-word if there is none."""
        spots = np.searchsorted(self.hashes, hashes).clip(max=len(self.hashes) - 1)
        known = spots[self.hashes[spots] == hashes]
        return known if len(known) else np.array([len(self.hashes)])


def matrix(texts: Sequence[str], words: Words) -> Matrix:
    """Compute the features of every text."""
    columns, values, ends, dense = [], [], [0], []
    for i, text in enumerate(texts):
        found = features_of(text)
        columns += [found.tokens, found.grams + BUCKETS]
        values += [np.full(len(part), len(part) ** -0.5, np.float32) for part in columns[-2:]]
        ends.append(ends[-1] + len(found.tokens) + len(found.grams))
        dense.append(dense_of(found, words))
        if i % 10_000 == 9_999:
            print(f"  features of {i + 1:,} texts", flush=True)
    shape = (len(texts), 2 * BUCKETS)
    hashed = sparse.csr_matrix(
        (np.concatenate(values), np.concatenate(columns).astype(np.int32), ends), shape=shape
    )
    return Matrix(hashed, np.stack(dense))


def dense_of(features: Features, words: Words) -> NDArray[np.float32]:
    """Weighted mean word vectors (of all, of the first, of the last) and the shape."""
    index = words.find(features.words)
    pooled = [_mean(part, words) for part in (index, index[:EDGE_WORDS], index[-EDGE_WORDS:])]
    return np.concatenate([*pooled, features.shape])


def _mean(index: NDArray[np.int64], words: Words) -> NDArray[np.float32]:
    weights = words.weights[index]
    mean: NDArray[np.float32] = weights @ words.vectors[index] / (weights.sum() + 1e-6)
    return mean
