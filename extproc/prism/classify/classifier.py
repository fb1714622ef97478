"""Runs the model on texts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from prism.classify.features import features_of
from prism.classify.model_file import open_model
from prism.routing.catalog import TASKS
from prism.routing.signals import Classification

SHIPPED = Path(__file__).parent / "model" / "task.onnx"


class Classifier:
    """Tells the task of a text. Thread-safe; one instance serves a process.

    ``path`` is a model file, the shipped one for ``None``; ``threads`` is how many threads
    one call may use. Raises ``ModelRefused`` for a file with other inputs, classes or format,
    and ``FileNotFoundError``.
    """

    def __init__(self, path: Path | None = None, *, threads: int = 1) -> None:
        model = open_model(path or SHIPPED, threads)
        self._session = model.session
        self._words = model.words
        self._abstain_below = model.abstain_below

    @property
    def abstain_below(self) -> float:
        """The confidence (0 to 1) below which the model's trainer advises to abstain."""
        return self._abstain_below

    @property
    def quick(self) -> bool:
        """Whether any text takes so little time that an event loop can wait for it."""
        return False

    def classify(self, text: str) -> Classification:
        """Classify any string, empty ones and those with lone surrogates included."""
        features = features_of(text)
        words, senses = self._words.find(features.words)
        (found,) = self._session.run(
            None,
            {
                "tokens": features.tokens,
                "grams": features.grams,
                "words": words,
                "senses": senses,
                "shape": features.shape,
            },
        )
        values = [float(value) for value in found]
        best = max(range(len(values)), key=values.__getitem__)
        return Classification(
            task=TASKS[best],
            confidence=values[best],
            probabilities=dict(zip(TASKS, values, strict=True)),
        )

    def classify_batch(self, texts: Sequence[str]) -> list[Classification]:
        """Classify each text; the answers come in the order of ``texts``."""
        return [self.classify(text) for text in texts]
