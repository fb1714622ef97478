"""How good each model would be at one prompt: corrections to the table's qualities.

A predictor is one linear function a model of what the classifier's last layer read. It was
fitted to graded answers by ``prism calibrate``, and means nothing beside another classifier.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from operator import mul

from prism.routing.catalog import Mode, Model, Predictor, Task
from prism.routing.cost import cost_usd
from prism.routing.signals import Classification, Corrections

_DIGITS = 4
"""Corrections are rounded, so that a record decides again as it did."""


def corrected(predictor: Predictor | None, found: Classification) -> Classification:
    """``found`` with the predictor's corrections, where it has any, and without ``hidden``."""
    hidden = found.hidden
    if hidden is None:
        return found
    if predictor is None or predictor.classifier != hidden.classifier:
        # On the way of every request: ``replace`` takes four times as long.
        return Classification(found.task, found.confidence, found.probabilities)
    values = hidden.values.tolist()
    by_model = {
        name: round(sum(map(mul, values, weights), weights[-1]), _DIGITS)
        for name, weights in predictor.weights.items()
        if len(weights) == len(values) + 1
    }
    return replace(found, hidden=None, corrections=Corrections(predictor.digest, by_model))


def ordered(
    predictor: Predictor,
    corrections: Corrections,
    models: Sequence[Model],
    task: Task,
    mode: Mode,
    input_tokens: int,
    output_tokens: int,
) -> list[Model]:
    """``models``, of which there are some, by predicted quality against cost, best first.

    A model that saves all that the dearest of them costs may be as much worse as the mode's
    ``trade`` says, one that saves half of it half as much. Ties: the better, then the order
    as given.
    """
    costs = [cost_usd(model.price, input_tokens, output_tokens) for model in models]
    dearest, trade = max(costs), predictor.trade[mode]

    def worth(place: int) -> tuple[float, float]:
        quality = predicted(models[place], task, corrections)
        share = costs[place] / dearest if dearest else 0.0
        return trade * share - quality, -quality

    return [models[place] for place in sorted(range(len(models)), key=worth)]


def predicted(model: Model, task: Task, corrections: Corrections) -> float:
    """The model's quality (0 to 1) at this prompt; the table's where nothing corrects it."""
    quality = model.quality[task] + corrections.by_model.get(model.name, 0.0)
    return min(1.0, max(0.0, quality))
