"""What kind of character each code point is, as one table of 65,536 entries.

The kinds follow Unicode's blocks roughly: enough to cut a text into words in about any
script, at the price of one table look-up a character.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SPACE, LETTER, DIGIT, SIGN, BREAK = range(5)
"""Blank; part of a word; digit; punctuation or symbol, a word of its own; a character of a
script written without blanks (Chinese, Japanese), a word of its own."""

_SIGNS = (
    (0x00, 0x7F),  # ASCII, less what is set below
    (0x80, 0xBF),  # Latin-1 punctuation
    (0x2000, 0x2BFF),  # punctuation, arrows, mathematics
    (0x3000, 0x303F),  # CJK punctuation
    (0xD800, 0xF8FF),  # surrogates, private use
    (0xFE00, 0xFE6F),
    (0xFF00, 0xFF0F),
    (0xFFF0, 0xFFFF),  # and everything above, emoji for the most part
)
_BREAKS = ((0x3040, 0x30FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF))
_BLANKS = (*range(0x09, 0x0E), *range(0x1C, 0x21), 0x85, 0xA0, *range(0x2000, 0x200C))
_MORE_BLANKS = (0x2028, 0x2029, 0x202F, 0x205F, 0x3000, 0xFEFF)


def _table() -> NDArray[np.uint8]:
    table = np.full(1 << 16, LETTER, np.uint8)
    for first, last in _SIGNS:
        table[first : last + 1] = SIGN
    for first, last in _BREAKS:
        table[first : last + 1] = BREAK
    for letters in ((ord("a"), ord("z")), (ord("A"), ord("Z"))):
        table[letters[0] : letters[1] + 1] = LETTER
    table[[0xAA, 0xB5, 0xBA]] = LETTER
    table[ord("0") : ord("9") + 1] = DIGIT
    table[[*_BLANKS, *_MORE_BLANKS]] = SPACE
    return table


KIND_OF: NDArray[np.uint8] = _table()
