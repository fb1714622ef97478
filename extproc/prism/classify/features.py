"""Text to the numbers that the classifier's model reads.

Training uses this very module and ``vocabulary``: what they compute is part of the model's
format (see ``FORMAT`` in ``prism.classify.model_file``).
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prism.classify.unwrap import AFTER, ALONE, BEFORE, undressed, unwrap, without_role
from prism.classify.vocabulary import NOTHING, Vocabulary

# What is read of a text, in characters: callers may clip with the same numbers.
HEAD_CHARS = 1_200
TAIL_CHARS = 800
# Of its words, so many at the start and at the end.
HEAD_WORDS = 136
TAIL_WORDS = 64
MOST_WORDS = HEAD_WORDS + TAIL_WORDS
SHAPE = 4
"""How many numbers ``Features.shape`` has."""

# Line ends and indents are words of their own, under names that texts hardly have.
LINE, PARAGRAPH, INDENT = "\x01", "\x02", "\x03"
_ASCII = str.maketrans(
    {chr(code): chr(code).lower() for code in range(ord("A"), ord("Z") + 1)}
    | dict.fromkeys("123456789", "0")
)
_ENDS = NOTHING.to_bytes(8, "little")


@dataclass(frozen=True, slots=True)
class Features:
    """``words``: int64 [2 to MOST_WORDS + 2] rows of the vocabulary, in order, ``NOTHING``
    before the first and after the last.

    ``shape``: float32 [1, SHAPE]: logarithms of the numbers of characters, lines, words read
    and characters a line, each about 0 to 2.
    """

    words: NDArray[np.int64]
    shape: NDArray[np.float32]


class Reader:
    """Computes features of texts with one vocabulary. Thread-safe."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._before = _kinds(vocabulary, BEFORE) | _kinds(vocabulary, [()] * 7 + [ALONE])
        self._after = _kinds(vocabulary, AFTER) | np.uint8(1 << 7)

    def features_of(self, text: str) -> Features:
        """Compute the features of any string; lone surrogates and NULs count as signs."""
        clipped = without_role(undressed(clip(text)))
        words = self._words(clipped)
        if self._may_be_wrapped(words):
            bare = unwrap(clipped)
            if bare is not clipped:
                clipped = bare
                words = self._words(clipped)
        if len(words) - 2 > MOST_WORDS:
            words = np.concatenate((words[: HEAD_WORDS + 1], words[-TAIL_WORDS - 1 :]))
        size, lines = len(clipped), clipped.count("\n") + 1
        sizes = (size / 4, lines, len(words) - 2, size / lines / 4)
        shape = [math.log1p(number) / 4 for number in sizes]
        return Features(words, np.array([shape], np.float32))

    def _may_be_wrapped(self, words: NDArray[np.int64]) -> bool:
        before = self._before[words]
        # count_nonzero goes straight to C; any() takes several times as long for so few words.
        if not np.count_nonzero(before):
            return False
        after = self._after[words]
        return bool(
            np.count_nonzero(before[:-1] & after[1:]) or np.count_nonzero(before[:-2] & after[2:])
        )

    def _words(self, clipped: str) -> NDArray[np.int64]:
        chunks = normal(clipped).split()
        # Each has a word or more, so the others are not among the first or the last.
        if len(chunks) > MOST_WORDS:
            chunks[HEAD_WORDS:-TAIL_WORDS] = ()
        rows = map(self._vocabulary.__getitem__, chunks)
        return np.frombuffer(b"".join((_ENDS, *rows, _ENDS)), np.int64)


def _kinds(vocabulary: Vocabulary, kinds: Sequence[Iterable[str]]) -> NDArray[np.uint8]:
    """A bit for each kind that a row's word is of."""
    found = np.zeros(vocabulary.size, np.uint8)
    for bit, words in enumerate(kinds):
        rows = [row for word in words if (row := vocabulary.row(word)) is not None]
        found[rows] |= np.uint8(1 << bit)
    return found


def clip(text: str) -> str:
    """The part of ``text`` that is read: its head and its tail, without blanks at the end."""
    text = text.rstrip()
    if len(text) <= HEAD_CHARS + TAIL_CHARS:
        return text
    return f"{text[:HEAD_CHARS]}\n{text[-TAIL_CHARS:]}"


def normal(text: str) -> str:
    """Small letters, 0 for every digit, line ends as words; letters of full width made plain."""
    if text.isascii():
        text = text.translate(_ASCII)
    else:
        # NFKC can make a text 18 times as long.
        text = unicodedata.normalize("NFKC", text)[: HEAD_CHARS + TAIL_CHARS + 1].lower()
        for digit in "123456789":
            text = text.replace(digit, "0")
    if "\n" in text:
        text = text.replace("\n\n", f" {PARAGRAPH} ").replace("\n    ", f" {INDENT} ")
        text = text.replace("\n\t", f" {INDENT} ").replace("\n", f" {LINE} ")
    return text
