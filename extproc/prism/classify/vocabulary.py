"""The words that a model knows, and how any other word finds the nearest of them.

Every word has a row in the model's table. A text is split at blanks; each chunk between two
blanks ("(word," for one) is cut into words once and then remembered, so that reading a text
costs one look-up a chunk.
"""

from __future__ import annotations

import re
import struct
from collections import deque
from collections.abc import Iterator, Sequence

# Not part of a word: signs, symbols, and above the basic plane, which is emoji for the most part.
_SIGNS = (
    r"\x00-/:-@\[-`{-\xa9\xab-\xb4\xb6-\xb9\xbb-\xbf\xd7\xf7\u2000-\u2bff\u3000-\u303f"
    r"\ud800-\uf8ff\ufe00-\ufe6f\uff00-\uff0f\ufff0-\U0010ffff"
)
# Scripts written without blanks: read in pairs, most Chinese words have two characters.
_JOINED = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
PIECE = re.compile(
    rf"(?P<word>[^{_SIGNS}{_JOINED}\s0-9]+)|(?P<joined>[{_JOINED}]+)|(?P<number>[0-9]+)"
    rf"|(?P<signs>[{_SIGNS}]{{1,3}})"
)
IS_JOINED = re.compile(f"[{_JOINED}]")

# The first row stands for nothing: the empty text, and what fills up the place of words.
NOTHING = 0
# Rows that every model has, under names that no word has.
SPECIAL = ("", "<word>", "<sign>", "<emoji>", "<joined>", "<number>")
_WORD, _SIGN, _EMOJI, _PAIR, _NUMBER = range(1, len(SPECIAL))
# "pre*" and "*suf" are the rows of unknown words that begin or end so.
AFFIX = 6
SHORTEST_AFFIX = 3
# Words of so many letters are looked for with one slip of a finger put right.
SLIP_LETTERS = range(5, 17)
# Among this many of the first words a lost or wrong letter is searched too.
COMMON = 5_000
# Chunks that are remembered, of so many characters at most; the oldest goes first.
REMEMBERED = 50_000
LONGEST_REMEMBERED = 20

_PLAIN_SIGNS = frozenset(",.:;?!()'\"*`")
_PACK = struct.Struct("<q").pack


class Vocabulary(dict[str, bytes]):
    """From chunks to the rows of their words, as bytes of little-endian 64-bit numbers.

    ``words``: the most common first; affixes are written with a star. ``rows``: the table's
    row of each, after those of ``SPECIAL``; words may share one. Any chunk may be asked for
    with ``[]``. Threads may share it.
    """

    def __init__(self, words: Sequence[str], rows: Sequence[int]) -> None:
        self.size = max(rows, default=len(SPECIAL) - 1) + 1
        """How many rows the model's table must have."""
        places = dict(zip(words, rows, strict=True))
        super().__init__((word, _PACK(row)) for word, row in places.items() if "*" not in word)
        self._rows = places
        self._slips = dict(_slips(words[:COMMON], places))
        self._recent: deque[str] = deque()

    def __missing__(self, chunk: str) -> bytes:
        found = self._word_and_sign(chunk) or b"".join(map(_PACK, self._read(chunk)))
        if len(chunk) <= LONGEST_REMEMBERED:
            if len(self._recent) >= REMEMBERED:
                self.pop(self._recent.popleft(), None)
            self._recent.append(chunk)
            self[chunk] = found
        return found

    def row(self, word: str) -> int | None:
        """The row of a word that is in the list, or of nothing for an empty one."""
        return self._rows.get(word) if word else NOTHING

    def _word_and_sign(self, chunk: str) -> bytes | None:
        """Most new chunks are a known word before or after one sign: no need to take it apart."""
        rows, first, last = self._rows, chunk[:1], chunk[-1:]
        if last in _PLAIN_SIGNS and chunk[-2:-1].isalpha():
            word, sign = rows.get(chunk[:-1]), rows.get(last)
            return None if word is None or sign is None else _PACK(word) + _PACK(sign)
        if first in _PLAIN_SIGNS and chunk[1:2].isalpha():
            word, sign = rows.get(chunk[1:]), rows.get(first)
            return None if word is None or sign is None else _PACK(sign) + _PACK(word)
        return None

    def _read(self, chunk: str) -> Iterator[int]:
        rows = self._rows
        for piece in PIECE.finditer(chunk):
            word, kind = piece.group(), piece.lastgroup
            row = rows.get(word)
            if row is not None and (kind != "joined" or len(word) == 1):
                yield row
            elif kind == "word":
                yield self._nearest(word)
            elif kind == "joined":
                yield from self._pairs(word)
            elif kind == "number":
                yield _NUMBER
            else:
                yield rows.get(word[0], _EMOJI if word[0] >= "\U0001f000" else _SIGN)

    def _pairs(self, run: str) -> Iterator[int]:
        rows = self._rows
        for i in range(max(1, len(run) - 1)):
            row = rows.get(run[i : i + 2])
            yield rows.get(run[i], _PAIR) if row is None else row

    def _nearest(self, word: str) -> int:
        """The row of the word that this one is a slip of; else of its longest known affix."""
        if len(word) in SLIP_LETTERS and (row := self._unslipped(word)) is not None:
            return row
        for size in range(min(AFFIX, len(word) - 1), SHORTEST_AFFIX - 1, -1):
            for affix in (f"{word[:size]}*", f"*{word[-size:]}"):
                row = self._rows.get(affix)
                if row is not None:
                    return row
        return _WORD

    def _unslipped(self, word: str) -> int | None:
        """One letter too many, else one lost, wrong, or two swapped in a common word."""
        rows, slips = self._rows, self._slips
        found = slips.get(word)
        for i in range(len(word)):
            shorter = word[:i] + word[i + 1 :]
            if shorter in rows:
                return rows[shorter]
            if found is None:
                found = slips.get(shorter)
        return found


def _slips(words: Sequence[str], rows: dict[str, int]) -> Iterator[tuple[str, int]]:
    """Common words with one letter left out; where two meet, the more common one stays."""
    for word in reversed(words):
        if len(word) in SLIP_LETTERS and word.isalpha() and not IS_JOINED.search(word):
            for i in range(len(word)):
                yield word[:i] + word[i + 1 :], rows[word]
