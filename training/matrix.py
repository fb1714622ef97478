"""Prompts as the matrices that training works on; the features are the shipped package's."""

from __future__ import annotations

import functools
import itertools
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
from encoder import SIZE, Encoded, Halves
from numpy.typing import NDArray

from prism.classify.features import MOST_WORDS, SHAPE, Reader

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Matrix:
    """``words``: int32 [texts, MOST_WORDS] rows of the word table, filled up with 0.
    ``shape``: float32 [texts, SHAPE]. ``encoded``: of each text float16 [pieces, SIZE], what the
    encoder makes of its pieces."""

    words: NDArray[np.int32]
    shape: Floats
    encoded: list[Halves]

    def take(self, index: Labels) -> Matrix:
        """The texts of ``index``, in its order."""
        return Matrix(self.words[index], self.shape[index], [self.encoded[i] for i in index])


def matrix(texts: Sequence[str], reader: Reader, encoder: Encoded) -> Matrix:
    """Compute the features of every text, on one core."""
    words = np.zeros((len(texts), MOST_WORDS), np.int32)
    shape = np.zeros((len(texts), SHAPE), np.float32)
    encoded = list[Halves]()
    for i, text in enumerate(texts):
        found = reader.features_of([text])
        words[i, : found.words.shape[1] - 2] = found.words[0, 1:-1]
        shape[i] = found.shape[0]
        encoded.append(encoder.of(found.read[0]))
    return Matrix(words, shape, encoded)


_SHARED: list[tuple[Sequence[str], Reader, Encoded]] = []
# Texts that a process takes at a time.
_SOME = 500


def matrices(texts: Sequence[str], reader: Reader, encoder: Encoded, jobs: int) -> Matrix:
    """As ``matrix``, on several cores, with the progress printed. What the encoder makes of the
    pieces, some 30 KB a text, is kept in a temporary file."""
    began, parts = time.monotonic(), list[Matrix]()
    store = _Store()
    # Forked, so that what is shared is not sent.
    _SHARED.append((texts, reader, encoder))
    with ProcessPoolExecutor(jobs, mp_context=get_context("fork")) as pool:
        for part in pool.map(_part, range(0, len(texts), _SOME)):
            parts.append(store.kept(part))
            if len(parts) % 20 == 0:
                passed = time.monotonic() - began
                print(f"  {len(parts) * _SOME:,} of {len(texts):,}, {passed:.0f} s", flush=True)
    _SHARED.clear()
    return store.mapped(functools.reduce(stack, parts))


class _Store:
    """Holds in a file what the encoder made of pieces. It is gone when the process ends."""

    def __init__(self) -> None:
        # Beside other temporary files; TMPDIR says where these are.
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 (open as long as it is mapped)
        self._ends = [0]

    def kept(self, part: Matrix) -> Matrix:
        """Write what there is of pieces, and forget it."""
        for pieces in part.encoded:
            self._file.write(pieces.tobytes())
            self._ends.append(self._ends[-1] + len(pieces))
        return Matrix(part.words, part.shape, [])

    def mapped(self, whole: Matrix) -> Matrix:
        """All that was written, read from the file where it is needed."""
        self._file.flush()
        flat = np.memmap(self._file, np.float16, "r", shape=(self._ends[-1], SIZE))
        encoded = [flat[first:last] for first, last in itertools.pairwise(self._ends)]
        return Matrix(whole.words, whole.shape, encoded)


def _part(first: int) -> Matrix:
    ((texts, reader, encoder),) = _SHARED
    return matrix(texts[first : first + _SOME], reader, encoder)


def stack(first: Matrix, second: Matrix) -> Matrix:
    """The texts of both, ``first`` above."""
    return Matrix(
        np.concatenate([first.words, second.words]),
        np.concatenate([first.shape, second.shape]),
        first.encoded + second.encoded,
    )
