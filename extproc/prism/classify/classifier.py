"""Runs the model on texts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prism.classify.features import Reader
from prism.classify.model_file import HIDDEN, OUTPUTS, open_model
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
        self._abstain_below = model.abstain_below

    @property
    def abstain_below(self) -> float:
        """The confidence (0 to 1) below which the model's trainer advises to abstain."""
        return self._abstain_below

    @property
    def digest(self) -> str:
        """The SHA-256 of the model file."""
        return self._digest

    @property
    def quick(self) -> bool:
        """Whether a call takes a fraction of a millisecond, so may be made on an event loop."""
        return True

    def classify(self, text: str) -> Classification:
        """Classify any string, empty ones and those with lone surrogates included."""
        (found,) = self._classify((text,))
        return found

    def classify_batch(self, texts: Sequence[str]) -> list[Classification]:
        """Classify each text; the answers come in the order of ``texts``.

        Running the model costs as much as what it computes for several texts, so asking for them
        together takes half the time.
        """
        found: list[Classification] = []
        for start in range(0, len(texts), MOST_TOGETHER):
            found += self._classify(texts[start : start + MOST_TOGETHER])
        return found

    def _classify(self, texts: Sequence[str]) -> list[Classification]:
        features = self._features_of(texts)
        given = {"words": features.words, "shape": features.shape}
        found, *more = self._run(self._outputs, given)
        hidden = more[0] if more else [None] * len(texts)
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
