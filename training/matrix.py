"""Prompts as the matrices that training works on; the features are the shipped package's."""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
from encoder import Encoded
from numpy.typing import NDArray

from prism.classify.features import MOST_WORDS, SHAPE, Reader

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Matrix:
    """``words``: int32 [texts, MOST_WORDS] rows of the word table, filled up with 0.
    ``shape``: float32 [texts, SHAPE]. ``encoded``: float32 [texts, ENCODED]."""

    words: NDArray[np.int32]
    shape: Floats
    encoded: Floats

    def take(self, index: Labels) -> Matrix:
        """The texts of ``index``, in its order."""
        return Matrix(self.words[index], self.shape[index], self.encoded[index])


def matrix(texts: Sequence[str], reader: Reader, encoder: Encoded) -> Matrix:
    """Compute the features of every text, on one core."""
    words = np.zeros((len(texts), MOST_WORDS), np.int32)
    shape = np.zeros((len(texts), SHAPE), np.float32)
    read: list[str] = []
    for i, text in enumerate(texts):
        found = reader.features_of([text])
        words[i, : found.words.shape[1] - 2] = found.words[0, 1:-1]
        shape[i] = found.shape[0]
        read += found.read
    return Matrix(words, shape, encoder.of(read))


_SHARED: list[tuple[Sequence[str], Reader, Encoded]] = []
# Texts that a process takes at a time.
_SOME = 500


def matrices(texts: Sequence[str], reader: Reader, encoder: Encoded, jobs: int) -> Matrix:
    """As ``matrix``, on several cores, with the progress printed."""
    began, parts = time.monotonic(), []
    # Forked, so that what is shared is not sent.
    _SHARED.append((texts, reader, encoder))
    with ProcessPoolExecutor(jobs, mp_context=get_context("fork")) as pool:
        for part in pool.map(_part, range(0, len(texts), _SOME)):
            parts.append(part)
            if len(parts) % 20 == 0:
                passed = time.monotonic() - began
                print(f"  {len(parts) * _SOME:,} of {len(texts):,}, {passed:.0f} s", flush=True)
    _SHARED.clear()
    return functools.reduce(stack, parts)


def _part(first: int) -> Matrix:
    ((texts, reader, encoder),) = _SHARED
    return matrix(texts[first : first + _SOME], reader, encoder)


def stack(first: Matrix, second: Matrix) -> Matrix:
    """The texts of both, ``first`` above."""
    return Matrix(
        np.concatenate([first.words, second.words]),
        np.concatenate([first.shape, second.shape]),
        np.concatenate([first.encoded, second.encoded]),
    )
