"""Runs the model on texts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from prism.classify.features import Reader
from prism.classify.model_file import OUTPUTS, open_model
from prism.routing.catalog import TASKS
from prism.routing.signals import Classification

SHIPPED = Path(__file__).parent / "model" / "task.onnx"
_OUTPUTS = list(OUTPUTS)


class Classifier:
    """Tells the task of a text. Thread-safe; one instance serves a process.

    ``path`` is a model file, the shipped one for ``None``; ``threads`` is how many threads
    one call may use. Raises ``ModelRefused`` for a file with other inputs, classes or format,
    and ``FileNotFoundError``.
    """

    def __init__(self, path: Path | None = None, *, threads: int = 1) -> None:
        model = open_model(path or SHIPPED, threads)
        self._run = model.session.run
        self._features_of = Reader(model.vocabulary).features_of
        self._abstain_below = model.abstain_below

    @property
    def abstain_below(self) -> float:
        """The confidence (0 to 1) below which the model's trainer advises to abstain."""
        return self._abstain_below

    @property
    def quick(self) -> bool:
        """Whether a call takes a fraction of a millisecond, so may be made on an event loop."""
        return True

    def classify(self, text: str) -> Classification:
        """Classify any string, empty ones and those with lone surrogates included."""
        features = self._features_of(text)
        (found,) = self._run(_OUTPUTS, {"words": features.words, "shape": features.shape})
        (values,) = found.tolist()
        best = values.index(max(values))
        return Classification(
            task=TASKS[best],
            confidence=values[best],
            probabilities=dict(zip(TASKS, values, strict=True)),
        )

    def classify_batch(self, texts: Sequence[str]) -> list[Classification]:
        """Classify each text; the answers come in the order of ``texts``."""
        return [self.classify(text) for text in texts]
