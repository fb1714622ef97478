"""Which texts get a second look: those whose words leave doubt, and short ones sooner."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prism.classify.features import WORDS_READ, size_shape


@dataclass(frozen=True, slots=True)
class Doubt:
    """``sure_from``: the confidence (0 to 1) from which the answer from the words alone stands.

    ``short_sure_from``: the same for texts of no more than ``short_words`` words. Few words tell
    less, and to read them once more costs a third of what a long text costs.
    """

    sure_from: float
    short_sure_from: float
    short_words: int

    def limits(self, shape: NDArray[np.float32]) -> list[float]:
        """The confidence from which each text's answer stands, by ``Features.shape``."""
        # A list: for the one text of most calls NumPy's comparisons would take longer.
        more = size_shape(self.short_words + 0.5)
        return [
            self.short_sure_from if words < more else self.sure_from
            for words in shape[:, WORDS_READ].tolist()
        ]

    @classmethod
    def read(cls, said: str) -> Doubt:
        """The inverse of ``str``. Raises ``ValueError``, for numbers out of range too."""
        sure_from, short_sure_from, short_words = said.split()
        found = cls(float(sure_from), float(short_sure_from), int(short_words))
        shares = (found.sure_from, found.short_sure_from)
        if not all(0 <= share <= 1 for share in shares) or found.short_words < 0:
            raise ValueError(f"{said!r} has numbers out of range")
        return found

    def __str__(self) -> str:
        return f"{self.sure_from:.2f} {self.short_sure_from:.2f} {self.short_words}"
