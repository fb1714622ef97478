"""Text to the numbers that the classifier's model reads.

Everything is vectorised over the code points of a bounded piece of the text, so a prompt of
1 MB costs what one of 2,000 characters does. Training uses this very module: what it
computes is part of the model's format (see ``FORMAT`` in ``prism.classify.model_file``).
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prism.classify.letters import BREAK, DIGIT, KIND_OF, SIGN, SPACE
from prism.classify.shape import shape_of
from prism.classify.unwrap import unwrap

# What is read of a text, in characters: callers may clip with the same numbers.
HEAD_CHARS = 1_200
TAIL_CHARS = 800
# The hashed features fall into this many buckets (a power of two).
BUCKETS = 1 << 18
# How many of the first and of the last tokens also count as "how it opens" and "how it ends".
EDGE_TOKENS = 5

Codes = NDArray[np.uint32]
Flags = NDArray[np.bool_]

# Factors that tell words, pairs, triples and edges (or 3- to 5-grams) from each other.
_STEP, _TWO, _THREE, _EDGE, _ROLL = (
    np.uint32(factor) for factor in (0x9E3779B1, 0xCC9E2D51, 0x1B873593, 0x6F0A1B2D, 0x01000193)
)
_GRAM_SALTS = {3: np.uint32(0x2545F491), 4: np.uint32(0x5851F42D), 5: np.uint32(0x14057B7E)}
_ONE, _BLANK, _ZERO = np.uint32(1), np.uint32(32), np.uint32(ord("0"))
# One odd factor a place in a word; letters beyond the last share it.
_PLACES: Codes = (
    np.random.default_rng(20_240_607).integers(1, 2**31, 48, dtype=np.uint32) * np.uint32(2) + _ONE
).astype(np.uint32)
_MIX = tuple(np.uint32(number) for number in (16, 0x85EBCA6B, 13, 0xC2B2AE35))


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
    clipped = unwrap(clip(text))
    if not clipped.isascii():
        # Full-width letters, ligatures and composed accents read as their plain forms.
        limit = HEAD_CHARS + TAIL_CHARS + 1
        clipped = unicodedata.normalize("NFKC", clipped)[:limit]
    codes = np.frombuffer(clipped.lower().encode("utf-32-le", "surrogatepass"), np.uint32)
    kinds = KIND_OF.take(codes, mode="clip")
    # One digit is as good as another.
    codes = np.where(kinds == DIGIT, _ZERO, codes)
    words, signs = _words(codes, kinds)
    return Features(
        tokens=buckets_of(token_hashes(words), BUCKETS),
        grams=buckets_of(_gram_hashes(codes, kinds), BUCKETS),
        words=np.concatenate([words, _pairs(words, signs)]),
        shape=shape_of(clipped, codes, kinds, len(words)),
    )


def word_hash(word: str) -> int:
    """The hash under which ``Features.words`` has a word or a pair of CJK characters."""
    words = features_of(word).words
    return int(words[-1]) if len(words) else 0


def mix(hashes: Codes) -> Codes:
    """The finaliser of MurmurHash3 (Appleby, public domain), in place: every bit reaches all."""
    far, first, near, second = _MIX
    hashes ^= hashes >> far
    hashes *= first
    hashes ^= hashes >> near
    hashes *= second
    hashes ^= hashes >> far
    return hashes


def _words(codes: Codes, kinds: NDArray[np.uint8]) -> tuple[Codes, Flags]:
    """Hashes of the runs of letters, runs of digits and single signs; and which are CJK."""
    if not len(codes):
        return np.zeros(0, np.uint32), np.zeros(0, np.bool_)
    starts_here = kinds >= SIGN
    starts_here[1:] |= kinds[1:] != kinds[:-1]
    starts_here[0] = True
    starts = starts_here.nonzero()[0]
    ends = np.empty_like(starts)
    ends[:-1], ends[-1] = starts[1:], len(codes)
    places = np.arange(len(codes))
    places -= starts.repeat(ends - starts)
    letters = codes + _ONE
    letters *= _STEP
    letters *= _PLACES.take(places, mode="clip")
    hashes = mix(np.add.reduceat(letters, starts, dtype=np.uint32))
    found = kinds[starts]
    kept = found != SPACE
    return hashes[kept], found[kept] == BREAK


def _pairs(words: Codes, signs: Flags) -> Codes:
    """Pairs of neighbouring CJK characters: most Chinese words have two."""
    if not signs.any():
        return words[:0]
    return mix(words[:-1] * _TWO + words[1:])[signs[1:] & signs[:-1]]


def token_hashes(words: Codes) -> Codes:
    """Hashes of single words, pairs, triples, and of the words at both ends."""
    two = words[:-1] * _TWO
    two += words[1:]
    three = two[:-1] * _THREE
    three += words[2:]
    opening = words[:EDGE_TOKENS] * _EDGE
    ending = words[-EDGE_TOKENS:] ^ _EDGE
    return mix(np.concatenate((words, two, three, opening, ending)))


def _gram_hashes(codes: Codes, kinds: NDArray[np.uint8]) -> Codes:
    """Character 3- to 5-grams, a run of blanks counting as one blank, and so do both ends."""
    blank = kinds == SPACE
    kept = ~blank
    kept[1:] |= kept[:-1]
    squeezed = np.where(blank, _BLANK, codes)[kept]
    letters = np.full(len(squeezed) + 2, _BLANK)
    letters[1:-1] = squeezed
    letters += _ONE
    letters *= _STEP
    letters ^= letters >> _MIX[0]
    rolling = letters[:-1] * _ROLL
    rolling += letters[1:]
    found = [letters[:1]]
    for size, salt in _GRAM_SALTS.items():
        if len(letters) < size:
            break
        rolling = rolling[:-1] * _ROLL
        rolling += letters[size - 1 :]
        found.append(rolling ^ salt)
    return mix(np.concatenate(found))


def buckets_of(hashes: Codes, many: int) -> NDArray[np.int64]:
    """The distinct values of ``hashes`` modulo ``many``, a power of two; 0 where none is."""
    if not len(hashes):
        return np.zeros(1, np.int64)
    ordered = hashes & np.uint32(many - 1)
    ordered.sort()
    fresh = np.empty(len(ordered), np.bool_)
    fresh[0] = True
    np.not_equal(ordered[1:], ordered[:-1], out=fresh[1:])
    return ordered[fresh].astype(np.int64)
