"""The look of a text: how long, how many lines, how much of it is code or mathematics."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from prism.classify.letters import BREAK, DIGIT, LETTER, SIGN, SPACE

# Signs counted one by one, each as a share of the text and as "is there one".
_COUNTED = "?!.,:;'\"`()[]{}<>=+-*/\\^%$#_&|@~"
# Marks of program text and of mathematics; presence counts, not number.
_MARKS = (
    "```", "`", "\n    ", "\n\t", "://", "();", "==", "->", "=>", "</", "/>", "{\n", "||", "&&",
    "::", "#include", "import ", "def ", "function", "select ", "\\frac", "\\(", "$", "%", "\n- ",
    "\n* ", "\n1.", "1)", "\n#", "**", "\n\n", "\n", '"""', "a)", "b)", "(a)", "a.", "answer:",
    "q:", "user:", "assistant:",
)  # fmt: skip

SHAPE = 8 + 2 * len(_COUNTED) + len(_MARKS)
"""Length of the vector that ``shape_of`` returns."""


def shape_of(
    text: str, codes: NDArray[np.uint32], kinds: NDArray[np.uint8], words: int
) -> NDArray[np.float32]:
    """Float32 [SHAPE], every entry about 0 to 2; zeros for an empty text.

    ``text`` is the clipped text, ``codes`` and ``kinds`` its code points in lower case and
    their kinds, ``words`` how many words there are.
    """
    size = len(codes)
    if not size:
        return np.zeros(SHAPE, np.float32)
    by_kind = np.bincount(kinds, minlength=5)
    by_sign = np.bincount(np.minimum(codes, 127), minlength=128)[_SIGN_CODES]
    lines = text.count("\n") + 1
    lowered = text.lower()
    head = (
        math.log1p(size) / 5,
        math.log1p(words) / 4,
        math.log1p(lines) / 3,
        math.log1p(size / lines) / 5,
        by_kind[DIGIT] / size * 4,
        by_kind[SIGN] / size * 4,
        by_kind[BREAK] / size,
        by_kind[LETTER] / max(1, size - by_kind[SPACE]),
    )
    found = [mark in lowered for mark in _MARKS]
    shares = np.minimum(by_sign * (20 / size), 2)
    return np.concatenate([head, shares, by_sign > 0, found]).astype(np.float32)


_SIGN_CODES = np.array([ord(sign) for sign in _COUNTED])
