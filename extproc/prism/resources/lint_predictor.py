"""What a schema cannot say about the predictor of a RoutingTable."""

from __future__ import annotations

import math
from collections.abc import Iterator

from prism.resources.halves import half_floats
from prism.resources.loose import Spec, entries, mapping, names, text
from prism.resources.problem import Finding, Path, did_you_mean, show

_REMEDY = 'make it anew with "prism calibrate --predict"'


def lint_predictor(spec: Spec) -> Iterator[Finding]:
    """Findings about ``spec.predictor`` of a table's spec that may have schema errors."""
    models = names(spec, "models")
    size = 0
    for index, entry in entries(mapping(spec, "predictor"), "models"):
        path: Path = ("spec", "predictor", "models", index)
        name = text(entry, "name")
        if name and name not in models:
            hint = did_you_mean(name, models)
            message = f"no model named {show(name)} in spec.models{hint}"
            yield Finding((*path, "name"), message)
        if not (packed := text(entry, "weights")):
            continue
        try:
            weights = half_floats(packed)
        except ValueError:
            yield Finding((*path, "weights"), f"is no base64 of two-byte numbers; {_REMEDY}")
            continue
        if not all(map(math.isfinite, weights)):
            yield Finding((*path, "weights"), f"has a number that is not finite; {_REMEDY}")
        if len(weights) != (size := size or len(weights)):
            message = f"has {len(weights)} numbers where the first model has {size}; {_REMEDY}"
            yield Finding((*path, "weights"), message)
