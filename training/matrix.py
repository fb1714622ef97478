"""Prompts as the matrices that training works on; the features are the shipped package's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prism.classify.features import MOST_WORDS, SHAPE, Reader

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Matrix:
    """``words``: int32 [texts, MOST_WORDS] rows of the word table, filled up with 0.
    ``shape``: float32 [texts, SHAPE]."""

    words: NDArray[np.int32]
    shape: Floats

    def take(self, index: Labels) -> Matrix:
        """The texts of ``index``, in its order."""
        return Matrix(self.words[index], self.shape[index])


def matrix(texts: Sequence[str], reader: Reader) -> Matrix:
    """Compute the features of every text."""
    words = np.zeros((len(texts), MOST_WORDS), np.int32)
    shape = np.zeros((len(texts), SHAPE), np.float32)
    for i, text in enumerate(texts):
        found = reader.features_of([text])
        words[i, : found.words.shape[1] - 2] = found.words[0, 1:-1]
        shape[i] = found.shape[0]
    return Matrix(words, shape)


def stack(first: Matrix, second: Matrix) -> Matrix:
    """The texts of both, ``first`` above."""
    return Matrix(
        np.concatenate([first.words, second.words]), np.concatenate([first.shape, second.shape])
    )
