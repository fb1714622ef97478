"""The words that a model knows: their places in its vector table, and their senses.

A sense is a number below ``SENSES`` that words of like meaning share in all languages
(clusters of their vectors), so "write", "escribe" and "schreiben" look alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prism.classify.features import Codes, buckets_of, mix, token_hashes

SENSES = 1_024
# Hashed sequences of senses fall into this many buckets (a power of two).
SENSE_BUCKETS = 1 << 17
# Of a longer text, only so many known words at its start and at its end are looked at one by one.
HEAD_WORDS = 44
TAIL_WORDS = 20
# Unknown words fall into so many made-up senses.
_UNKNOWN = np.uint32(63)
_FIRST_UNKNOWN, _ONE, _STEP = np.uint32(SENSES), np.uint32(1), np.uint32(0x9E3779B1)


@dataclass(frozen=True, slots=True)
class WordTable:
    """``hashes``: sorted uint32 [words]. ``senses``: uint32 [words], below ``SENSES``."""

    hashes: Codes
    senses: Codes

    def find(self, words: Codes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """For the hashes of a text's words: table rows of the known, sense buckets of all.

        Both are int64 and never empty: without a known word the row is the one after the
        last, which is zero in every model. At most ``HEAD_WORDS + TAIL_WORDS`` rows.
        """
        spots = np.searchsorted(self.hashes, words)
        # A hash above all others has no spot of its own.
        spots[spots == len(self.hashes)] = 0
        known = self.hashes[spots] == words
        made_up = (words & _UNKNOWN) + _FIRST_UNKNOWN
        senses = np.where(known, self.senses[spots], made_up)
        hashed = mix((senses + _ONE) * _STEP)
        rows = spots[known]
        if not len(rows):
            rows = np.array([len(self.hashes)])
        if len(rows) > HEAD_WORDS + TAIL_WORDS:
            rows = np.concatenate([rows[:HEAD_WORDS], rows[-TAIL_WORDS:]])
        return rows, buckets_of(token_hashes(hashed), SENSE_BUCKETS)
