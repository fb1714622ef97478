"""Prompts as the matrices that training works on; the features are the shipped package's."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from prism.classify.features import MOST_WORDS, SHAPE, Reader

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]
Part = TypeVar("Part")
By = TypeVar("By")


@dataclass(frozen=True, slots=True)
class Matrix:
    """``words``: int32 [texts, MOST_WORDS] rows of the word table, filled up with 0.
    ``shape``: float32 [texts, SHAPE]. ``read``: what of each text the encoder reads."""

    words: NDArray[np.int32]
    shape: Floats
    read: list[str]

    def take(self, index: Labels) -> Matrix:
        """The texts of ``index``, in its order."""
        return Matrix(self.words[index], self.shape[index], [self.read[i] for i in index])


def matrix(texts: Sequence[str], reader: Reader) -> Matrix:
    """Compute the features of every text, on one core."""
    words = np.zeros((len(texts), MOST_WORDS), np.int32)
    shape = np.zeros((len(texts), SHAPE), np.float32)
    read: list[str] = []
    for i, text in enumerate(texts):
        found = reader.features_of([text])
        words[i, : found.words.shape[1] - 2] = found.words[0, 1:-1]
        shape[i] = found.shape[0]
        read += found.read
    return Matrix(words, shape, read)


def matrices(texts: Sequence[str], reader: Reader, jobs: int) -> Matrix:
    """As ``matrix``, on several cores."""
    return functools.reduce(stack, in_parts(matrix, texts, reader, jobs))


_SHARED: list[tuple[Callable[[Sequence[str], Any], Any], Sequence[str], Any]] = []
# Texts that a process takes at a time.
_SOME = 500


def in_parts(
    work: Callable[[Sequence[str], By], Part], texts: Sequence[str], by: By, jobs: int
) -> Iterator[Part]:
    """What ``work`` makes of some texts at a time, on several cores, with the progress printed."""
    began = time.monotonic()
    # Forked, so that what is shared is not sent.
    _SHARED.append((work, texts, by))
    with ProcessPoolExecutor(jobs, mp_context=get_context("fork")) as pool:
        for number, part in enumerate(pool.map(_part, range(0, len(texts), _SOME)), 1):
            yield part
            if number % 20 == 0:
                passed = time.monotonic() - began
                print(f"  {number * _SOME:,} of {len(texts):,}, {passed:.0f} s", flush=True)
    _SHARED.clear()


def _part(first: int) -> Any:
    ((work, texts, by),) = _SHARED
    return work(texts[first : first + _SOME], by)


def stack(first: Matrix, second: Matrix) -> Matrix:
    """The texts of both, ``first`` above."""
    return Matrix(
        np.concatenate([first.words, second.words]),
        np.concatenate([first.shape, second.shape]),
        first.read + second.read,
    )
