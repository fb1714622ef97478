"""Runs the model on texts: on their words, and where these leave doubt, on all they say.

The words alone take some hundredths of a millisecond, the encoder some milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prism.classify.features import Features, Reader
from prism.classify.model_file import HIDDEN, NO_PIECES, OUTPUTS, open_model
from prism.routing.catalog import TASKS
from prism.routing.signals import Classification, Hidden

MOST_TOGETHER = 16
"""Texts of one run of the model: all take as much memory as the longest of them."""
SHIPPED = Path(__file__).parent / "model" / "task.onnx"


class Classifier:
    """Tells the task of a text. Thread-safe; one instance serves a process.

    ``path`` is a model file, the shipped one for ``None``; ``threads`` is how many threads
    one call may use. Raises ``ModelRefused`` for a file with other inputs, classes or format,
    and ``FileNotFoundError``.
    """

    def __init__(self, path: Path | None = None, *, threads: int = 1) -> None:
        model = open_model(path or SHIPPED, threads)
        self._run = model.session.run
        names = [node.name for node in model.session.get_outputs()]
        self._outputs = [*OUTPUTS, HIDDEN] if HIDDEN in names else [*OUTPUTS]
        self._digest = model.digest
        self._features_of = Reader(model.vocabulary).features_of
        self._pieces_of = model.pieces.of
        self._limits = model.doubt.limits
        self._abstain_below = model.abstain_below

    @property
    def abstain_below(self) -> float:
        """The confidence (0 to 1) below which the model's trainer advises to abstain."""
        return self._abstain_below

    @property
    def digest(self) -> str:
        """The SHA-256 of the model file."""
        return self._digest

    def classify(self, text: str) -> Classification:
        """Classify any string, empty ones and those with lone surrogates included."""
        (found,) = self.classify_batch((text,))
        return found

    def classify_batch(self, texts: Sequence[str]) -> list[Classification]:
        """Classify each text; the answers come in the order of ``texts``.

        Running the model costs as much as what it computes for several texts, so asking for them
        together takes half the time of those that the words decide.
        """
        return [
            found if sure else self.second(text)
            for text, (found, sure) in zip(texts, self.first(texts), strict=True)
        ]

    def first(self, texts: Sequence[str]) -> list[tuple[Classification, bool]]:
        """The answers from the words alone, and whether each is sure enough to stand: a few
        hundredths of a millisecond a text, however long, so may be asked on an event loop."""
        found: list[tuple[Classification, bool]] = []
        for start in range(0, len(texts), MOST_TOGETHER):
            some = texts[start : start + MOST_TOGETHER]
            features = self._features_of(some)
            answers = self._run_on(features, NO_PIECES.repeat(len(some), axis=0))
            limits = self._limits(features.shape)
            found += [
                (answer, answer.confidence >= limit)
                for answer, limit in zip(answers, limits, strict=True)
            ]
        return found

    def second(self, text: str) -> Classification:
        """The answer from words and encoder, in some milliseconds; the interpreter is free for
        other threads while it is computed."""
        features = self._features_of((text,))
        (found,) = self._run_on(features, self._pieces_of(features.read[0]))
        return found

    def _run_on(self, features: Features, pieces: NDArray[np.int64]) -> list[Classification]:
        given = {"words": features.words, "shape": features.shape, "pieces": pieces}
        found, *more = self._run(self._outputs, given)
        hidden = more[0] if more else [None] * len(found)
        return [
            self._classification(values, seen)
            for values, seen in zip(found.tolist(), hidden, strict=True)
        ]

    def _classification(self, values: list[float], hidden: Any) -> Classification:
        best = values.index(max(values))
        return Classification(
            task=TASKS[best],
            confidence=values[best],
            probabilities=dict(zip(TASKS, values, strict=True)),
            hidden=None if hidden is None else Hidden(self._digest, memoryview(hidden)),
        )
