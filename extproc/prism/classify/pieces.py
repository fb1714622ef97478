"""Text to the pieces of words that the model's encoder reads.

As with ``features``, training uses this very module: what it computes is part of the format.
"""

from __future__ import annotations

import unicodedata
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Of a text's pieces, so many at the start and at the end are read. With the marks of start and end
# they are 64, whole tiles of a processor's matrix unit: six more took a fifth longer.
HEAD_PIECES = 46
TAIL_PIECES = 16
MOST_PIECES = HEAD_PIECES + TAIL_PIECES + 2
"""With the marks of start and end."""
# In characters, what those pieces are looked for in: most are of two to five.
_HEAD_CHARS = 520
_TAIL_CHARS = 260
START, END = 0, 2
"""The pieces that mark start and end."""


class Pieces:
    """Cuts texts with a SentencePiece model; capitals don't count. Thread-safe.

    Raises ``RuntimeError`` where ``model`` is not the bytes of one.
    """

    def __init__(self, model: bytes) -> None:
        # A dependency of the server alone: the operator reads no texts.
        import sentencepiece

        if not model:
            # The library takes it for no model at all, and fails at the first text.
            raise RuntimeError("it is empty")
        self._cut: Any = sentencepiece.SentencePieceProcessor(model_proto=model)
        self.size: int = self._cut.get_piece_size()
        """How many pieces there are."""

    def of(self, text: str) -> NDArray[np.int64]:
        """Int64 [1, 2 to MOST_PIECES]: the numbers of the first and the last pieces of any
        string, between ``START`` and ``END``."""
        if len(text) > _HEAD_CHARS + _TAIL_CHARS:
            head = self._ids(text[:_HEAD_CHARS])[:HEAD_PIECES]
            found = head + self._ids(text[-_TAIL_CHARS:])[-TAIL_PIECES:]
        else:
            found = self._ids(text)
            if len(found) > HEAD_PIECES + TAIL_PIECES:
                found[HEAD_PIECES:-TAIL_PIECES] = ()
        return np.array([[START, *found, END]], np.int64)

    def _ids(self, text: str) -> list[int]:
        if not text.isascii():
            # NFKC can make a text 18 times as long.
            text = unicodedata.normalize("NFKC", text)[: _HEAD_CHARS + _TAIL_CHARS]
            # Lone surrogates have no bytes.
            text = text.encode("utf-8", "replace").decode("utf-8")
        ids: list[int] = self._cut.encode(" ".join(text.lower().split()))
        return ids
