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

from prism.classify.unwrap import AFTER, ALONE, BEFORE, unwrap
from prism.classify.vocabulary import NOTHING, Vocabulary
from prism.classify.wrapping import without_wrapping

# What is read of a text, in characters: callers may clip with the same numbers.
HEAD_CHARS = 1_200
TAIL_CHARS = 800
# Of its words, so many at the start and at the end.
HEAD_WORDS = 136
TAIL_WORDS = 64
MOST_WORDS = HEAD_WORDS + TAIL_WORDS
SHAPE = 4
"""How many numbers ``Features.shape`` has."""
WORDS_READ = 2
"""Which of them tells the number of words."""

# Line ends and indents are words of their own, under names that texts hardly have.
LINE, PARAGRAPH, INDENT = "\x01", "\x02", "\x03"
_ASCII = str.maketrans(
    {chr(code): chr(code).lower() for code in range(ord("A"), ord("Z") + 1)}
    | dict.fromkeys("123456789", "0")
)
_PLACE = 8
"""Bytes of a row's number, as ``Vocabulary`` has them."""
_BEFORE_FIRST = NOTHING.to_bytes(_PLACE, "little")
_FILL = bytes([NOTHING])
"""Fills up the places of words that are not there: 0, whose bytes are all alike."""


@dataclass(frozen=True, slots=True)
class Features:
    """``words``: int64 [texts, 2 to MOST_WORDS + 2] rows of the vocabulary, in order, ``NOTHING``
    before the first, after the last, and so often again as a longer text has words.

    ``shape``: float32 [texts, SHAPE]: logarithms of the numbers of characters, lines, words read
    and characters a line, each about 0 to 2.

    ``read``: what is read of each text: clipped, and without what is wrapped around it.
    """

    words: NDArray[np.int64]
    shape: NDArray[np.float32]
    read: list[str]


class Reader:
    """Computes features of texts with one vocabulary. Thread-safe."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._before = _kinds(vocabulary, BEFORE) | _kinds(vocabulary, [()] * 7 + [ALONE])
        self._after = _kinds(vocabulary, AFTER) | np.uint8(1 << 7)

    def features_of(self, texts: Sequence[str]) -> Features:
        """Compute the features of one or more strings, whatever is in them; lone surrogates and
        NULs count as signs."""
        read = [without_wrapping(clip(text)) for text in texts]
        rows = [self._rows(text) for text in read]
        words = _matrix(rows)
        if (wrapped := self._wrapped(words)) or words.shape[1] > MOST_WORDS + 2:
            for number in wrapped:
                bare = unwrap(read[number])
                if bare is not read[number]:
                    read[number], rows[number] = bare, self._rows(bare)
            rows = list(map(_cut, rows))
            words = _matrix(rows)
        shape = [_shape(text, len(row) // _PLACE) for text, row in zip(read, rows, strict=True)]
        return Features(words, np.array(shape, np.float32), read)

    def _wrapped(self, words: NDArray[np.int64]) -> Sequence[int]:
        """The numbers of those texts that something may be wrapped around."""
        before = self._before[words]
        # count_nonzero goes straight to C; any() takes several times as long for so few words.
        if not np.count_nonzero(before):
            return ()
        after = self._after[words]
        next_to, one_further = before[:, :-1] & after[:, 1:], before[:, :-2] & after[:, 2:]
        if not np.count_nonzero(next_to) and not np.count_nonzero(one_further):
            return ()
        found: list[int] = np.flatnonzero(next_to.any(1) | one_further.any(1)).tolist()
        return found

    def _rows(self, clipped: str) -> bytes:
        """The rows of a text's words, one after the other."""
        chunks = normal(clipped).split()
        # Each has a word or more, so the others are not among the first or the last.
        if len(chunks) > MOST_WORDS:
            chunks[HEAD_WORDS:-TAIL_WORDS] = ()
        return b"".join(map(self._vocabulary.__getitem__, chunks))


def _matrix(rows: Sequence[bytes]) -> NDArray[np.int64]:
    """The rows of texts, one below the other: all as wide as the widest."""
    width = max(map(len, rows)) + _PLACE
    filled = [_BEFORE_FIRST + row.ljust(width, _FILL) for row in rows]
    return np.frombuffer(b"".join(filled), np.int64).reshape(len(rows), -1)


def _cut(rows: bytes) -> bytes:
    """The first and the last of too many words."""
    if len(rows) <= MOST_WORDS * _PLACE:
        return rows
    return rows[: HEAD_WORDS * _PLACE] + rows[-TAIL_WORDS * _PLACE :]


def size_shape(number: float) -> float:
    """A number as ``Features.shape`` has it."""
    return math.log1p(number) / 4


def _shape(text: str, words: int) -> list[float]:
    size, lines = len(text), text.count("\n") + 1
    sizes = (size / 4, lines, words, size / lines / 4)
    return [math.log1p(number) / 4 for number in sizes]


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
