"""Text to the numbers that the classifier's model reads.

Everything is vectorised over the code points of a bounded piece of the text, so a prompt of
1 MB costs what one of 2,000 characters does. Training uses this very module: what it
computes is part of the model's format (see ``FORMAT`` in ``prism.classify.session``).
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prism.classify.letters import BREAK, DIGIT, KIND_OF, SIGN, SPACE
from prism.classify.shape import shape_of

# What is read of a text, in characters: callers may clip with the same numbers.
HEAD_CHARS = 1_200
TAIL_CHARS = 800
# The hashed features fall into this many buckets (a power of two).
BUCKETS = 1 << 18
# How many of the first and of the last tokens also count as "how it opens" and "how it ends".
EDGE_TOKENS = 5

Codes = NDArray[np.uint32]
Flags = NDArray[np.bool_]

_SALTS = {"one": 0x1B873593, "two": 0x52DCE729, "three": 0x38B34AE5, "edge": 0x6F0A1B2D}
_GRAM_SALTS = {3: 0x2545F491, 4: 0x5851F42D, 5: 0x14057B7E}
_STEP = np.uint32(0x9E3779B1)
# One odd factor a place in a word; letters beyond the last share it.
_PLACES: Codes = (
    np.random.default_rng(20_240_607).integers(1, 2**31, 48, dtype=np.uint32) * np.uint32(2) + 1
).astype(np.uint32)


@dataclass(frozen=True, slots=True)
class Features:
    """One text's features.

    ``tokens`` and ``grams``: distinct buckets (int64, 0 to ``BUCKETS`` - 1, never empty) of
    the words and of the character n-grams. ``words``: 32-bit hashes of single words in
    order, with pairs of neighbouring CJK characters after them. ``shape``: float32 [SHAPE].
    """

    tokens: NDArray[np.int64]
    grams: NDArray[np.int64]
    words: Codes
    shape: NDArray[np.float32]


def clip(text: str) -> str:
    """The part of ``text`` that is read: its head and its tail, without blanks at the end."""
    text = text.rstrip()
    if len(text) <= HEAD_CHARS + TAIL_CHARS:
        return text
    return f"{text[:HEAD_CHARS]}\n{text[-TAIL_CHARS:]}"


def features_of(text: str) -> Features:
    """Compute the features of any string; lone surrogates and NULs count as signs."""
    clipped = clip(text)
    if not clipped.isascii():
        # Full-width letters, ligatures and composed accents read as their plain forms.
        limit = HEAD_CHARS + TAIL_CHARS + 1
        clipped = unicodedata.normalize("NFKC", clipped)[:limit]
    codes = np.frombuffer(clipped.lower().encode("utf-32-le", "surrogatepass"), np.uint32)
    kinds = KIND_OF[np.minimum(codes, len(KIND_OF) - 1)]
    # One digit is as good as another.
    codes = np.where(kinds == DIGIT, np.uint32(ord("0")), codes)
    words, signs = _words(codes, kinds)
    return Features(
        tokens=_buckets(_token_hashes(words)),
        grams=_buckets(_gram_hashes(codes, kinds)),
        words=np.concatenate([words, _pairs(words, signs)]),
        shape=shape_of(clipped, codes, kinds, len(words)),
    )


def word_hash(word: str) -> int:
    """The hash under which ``Features.words`` has a word or a pair of CJK characters."""
    words = features_of(word).words
    return int(words[-1]) if len(words) else 0


def _mix(hashes: Codes) -> Codes:
    """The finaliser of MurmurHash3 (Appleby, public domain): every bit reaches every bit."""
    hashes = hashes ^ (hashes >> np.uint32(16))
    hashes = hashes * np.uint32(0x85EBCA6B)
    hashes = hashes ^ (hashes >> np.uint32(13))
    hashes = hashes * np.uint32(0xC2B2AE35)
    return hashes ^ (hashes >> np.uint32(16))


def _words(codes: Codes, kinds: NDArray[np.uint8]) -> tuple[Codes, Flags]:
    """Hashes of the runs of letters, runs of digits and single signs; and which are CJK."""
    if not len(codes):
        return np.zeros(0, np.uint32), np.zeros(0, np.bool_)
    starts_here = np.empty(len(codes), np.bool_)
    starts_here[0] = True
    np.not_equal(kinds[1:], kinds[:-1], out=starts_here[1:])
    starts_here |= kinds >= SIGN
    starts = np.flatnonzero(starts_here)
    lengths = np.diff(starts, append=len(codes))
    places = np.arange(len(codes)) - np.repeat(starts, lengths)
    factors = _PLACES[np.minimum(places, len(_PLACES) - 1)]
    letters = (codes + np.uint32(1)) * _STEP * factors
    hashes = _mix(np.add.reduceat(letters, starts, dtype=np.uint32))
    kept = kinds[starts] != SPACE
    return hashes[kept], (kinds[starts] == BREAK)[kept]


def _pairs(words: Codes, signs: Flags) -> Codes:
    """Pairs of neighbouring CJK characters: most Chinese words have two."""
    if not signs.any():
        return words[:0]
    return _two(words)[signs[1:] & signs[:-1]]


def _two(words: Codes) -> Codes:
    return _mix(words[:-1] * np.uint32(0xCC9E2D51) + words[1:])


def _token_hashes(words: Codes) -> Codes:
    two = _two(words)
    three = _mix(two[:-1] * np.uint32(0x1B873593) + words[2:])
    edges = np.concatenate([words[:EDGE_TOKENS], ~words[-EDGE_TOKENS:]])
    return np.concatenate(
        [
            words ^ np.uint32(_SALTS["one"]),
            two ^ np.uint32(_SALTS["two"]),
            three ^ np.uint32(_SALTS["three"]),
            _mix(edges ^ np.uint32(_SALTS["edge"])),
        ]
    )


def _gram_hashes(codes: Codes, kinds: NDArray[np.uint8]) -> Codes:
    """Character 3- to 5-grams, a run of blanks counting as one blank, and so do both ends."""
    blank = kinds == SPACE
    kept = ~blank
    if len(codes) > 1:
        kept[1:] |= blank[1:] & ~blank[:-1]
    squeezed = np.where(blank, np.uint32(32), codes)[kept]
    padded = np.concatenate([[np.uint32(32)], squeezed, [np.uint32(32)]])
    grown = (padded + np.uint32(1)) * _STEP
    grown = grown ^ (grown >> np.uint32(15))
    found = []
    rolling = grown[:-1] * np.uint32(0x01000193) + grown[1:]
    for size, salt in _GRAM_SALTS.items():
        if len(grown) < size:
            break
        rolling = rolling[: len(grown) - size + 1] * np.uint32(0x01000193) + grown[size - 1 :]
        found.append(_mix(rolling ^ np.uint32(salt)))
    return np.concatenate(found) if found else grown[:1]


def _buckets(hashes: Codes) -> NDArray[np.int64]:
    if not len(hashes):
        return np.zeros(1, np.int64)
    ordered = np.sort(hashes & np.uint32(BUCKETS - 1))
    fresh = np.empty(len(ordered), np.bool_)
    fresh[0] = True
    np.not_equal(ordered[1:], ordered[:-1], out=fresh[1:])
    return ordered[fresh].astype(np.int64)
