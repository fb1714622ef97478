"""Fits the last layers of a model to a team's own labels; words, filters and encoder stay as they
are. There are two, one for each look (``classifier``).

Needs the package ``onnx`` (the extra ``train``), besides what running a model needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from prism.classify.features import Reader
from prism.classify.model_file import (
    ABSTAIN_KEY,
    NO_PIECES,
    ModelRefused,
    open_model,
)
from prism.classify.quality import CLASSES, Floats, Labels, choose_threshold
from prism.classify.unpacking import matrices, session

# The last layers, by name in the graph: of the words alone, of words and encoder.
WEIGHTS, BIAS = "last.weights", "last.bias"
BOTH_WEIGHTS, BOTH_BIAS = "both.weights", "both.bias"
_LOOKS = ((WEIGHTS, BIAS), (BOTH_WEIGHTS, BOTH_BIAS))
READ = "read"
"""What the last layer reads: of the words alone, or of words and encoder."""

FOLDS = 5
STEPS = 400
RATE = 0.02
# How strongly the layer is held to what it was; the best of these by cross-validation.
HOLDS = (1e-3, 1e-2, 1e-1)
TEMPERATURES = np.geomspace(0.3, 3, 49)
# Under-routing that the advised threshold may leave.
MOST_UNDER_ROUTED = 0.03


@dataclass(frozen=True, slots=True)
class Refit:
    """A fitted model and how it does.

    ``content``: the new model file. ``before`` and ``after``: probabilities [texts, CLASSES]
    of the base model, and of models that were fitted without the text they answer for.
    ``abstain_below``: the advised threshold.
    """

    content: bytes
    before: Floats
    after: Floats
    abstain_below: float


def refit(base: Path, texts: Sequence[str], labels: Labels, seed: int = 0) -> Refit:
    """Fit the last layers of ``base`` to labelled texts (indices into ``TASKS``).

    Raises ``ModelRefused`` for a base that can't be fitted, ``ImportError`` without ``onnx``.
    """
    import onnx

    model = onnx.load_model_from_string(base.read_bytes())
    named = {constant.name: constant for constant in model.graph.initializer}
    if missing := sorted({name for look in _LOOKS for name in look} - set(named)):
        raise ModelRefused(f"{base}: has no {', '.join(missing)} that could be fitted")
    words_read, both_read, limits = _read(base, model, texts)
    looks = []
    for (weights, bias), read in zip(_LOOKS, (words_read, both_read), strict=True):
        start = [onnx.numpy_helper.to_array(named[name]) for name in (weights, bias)]
        # The bias is one more row.
        look = _fitted(read, labels, np.concatenate([start[0], start[1][None]]), seed)
        for name, value in ((weights, look.layer[:-1]), (bias, look.layer[-1])):
            named[name].CopyFrom(onnx.numpy_helper.from_array(value, name))
        looks.append(look)
    words, both = looks
    before = _cascade(words.before, both.before, limits)
    after = _cascade(words.after, both.after, limits)
    threshold = choose_threshold(labels, after, MOST_UNDER_ROUTED)
    for entry in model.metadata_props:
        if entry.key == ABSTAIN_KEY:
            entry.value = f"{threshold:.2f}"
    return Refit(model.SerializeToString(), before, after, threshold)


@dataclass(frozen=True, slots=True)
class _Look:
    """``layer``: [inputs + 1, CLASSES], fitted. ``before``, ``after``: as ``Refit`` has them."""

    layer: Floats
    before: Floats
    after: Floats


def _fitted(read: Floats, labels: Labels, start: Floats, seed: int) -> _Look:
    logits, hold = _cross_validated(read, labels, start, seed)
    factor = min(TEMPERATURES, key=lambda value: _loss(value * logits, labels))
    layer = (_fit(read, labels, start, hold) * factor).astype(np.float32)
    return _Look(layer, _softmax(read @ start), _softmax(factor * logits))


def _cascade(words: Floats, both: Floats, limits: Floats) -> Floats:
    """What the second look says where the first is not sure."""
    return np.where((words.max(1) < limits)[:, None], both, words)


def _read(base: Path, model: Any, texts: Sequence[str]) -> tuple[Floats, Floats, Floats]:
    """What the last layer of each look reads of each text, and a 1 for its bias:
    [texts, size + 1]; and the confidence from which the first look's answer stands: [texts]."""
    import onnx

    opened = open_model(base, 1)
    reader = Reader(opened.vocabulary)
    # Only now: opening the model tells it not to report use.
    import onnxruntime

    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    shown.graph.output.append(
        onnx.helper.make_tensor_value_info(READ, onnx.TensorProto.FLOAT, None)
    )
    options = onnxruntime.SessionOptions()
    ran = session(shown.SerializeToString(), matrices(base.read_bytes()), options)
    found: tuple[list[Floats], list[Floats]] = [], []
    limits: list[float] = []
    for text in texts:
        features = reader.features_of([text])
        given = {"words": features.words, "shape": features.shape}
        limits += opened.doubt.limits(features.shape)
        for look, pieces in zip(
            found, (NO_PIECES, opened.pieces.of(features.read[0])), strict=True
        ):
            look.append(ran.run([READ], given | {"pieces": pieces})[0][0])
    words, both = (
        np.concatenate([np.stack(look), np.ones((len(look), 1), np.float32)], axis=1)
        for look in found
    )
    return words, both, np.array(limits, np.float32)


def _cross_validated(
    hidden: Floats, labels: Labels, start: Floats, seed: int
) -> tuple[Floats, float]:
    """Logits of each text by a layer fitted without it, and how strongly it was held."""
    fold = np.random.default_rng(seed).permutation(len(labels)) % FOLDS
    found = {}
    for hold in HOLDS:
        logits = np.zeros((len(labels), CLASSES), np.float32)
        for number in range(FOLDS):
            out = fold == number
            logits[out] = hidden[out] @ _fit(hidden[~out], labels[~out], start, hold)
        found[hold] = logits
    best = min(HOLDS, key=lambda hold: _loss(found[hold], labels))
    return found[best], best


def _fit(hidden: Floats, labels: Labels, start: Floats, hold: float) -> Floats:
    """Multinomial logistic regression from ``start``, which it is held to, by Adam."""
    layer = start.astype(np.float64)
    first, second = np.zeros_like(layer), np.zeros_like(layer)
    wanted = np.eye(CLASSES, dtype=np.float32)[labels]
    for step in range(STEPS):
        said = _softmax((hidden @ layer).astype(np.float32))
        slope = hidden.T @ (said - wanted) / len(labels)
        slope += hold * (layer - start)
        first = 0.9 * first + 0.1 * slope
        second = 0.999 * second + 0.001 * slope**2
        fix = (1 - 0.999 ** (step + 1)) ** 0.5 / (1 - 0.9 ** (step + 1))
        layer -= RATE * (1 - step / STEPS) * fix * first / (np.sqrt(second) + 1e-8)
    return layer.astype(np.float32)


def _softmax(logits: Floats) -> Floats:
    raised = np.exp(logits - logits.max(1, keepdims=True))
    found: Floats = (raised / raised.sum(1, keepdims=True)).astype(np.float32)
    return found


def _loss(logits: Floats, labels: Labels) -> float:
    said = _softmax(logits)[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(said, 1e-9)).mean())
