"""Providers as a RoutingTable describes them: their models and how quick those are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from prism.providers.spec import ModelTiming, ProviderSpec


def specs_from_table(text: str, *, jitter: float = 0.0) -> list[ProviderSpec]:
    """The providers of every RoutingTable in a YAML stream, in the order of their first model.

    Read leniently: what is missing or odd counts as not there, since checking tables is the
    work of ``prism validate``.

    Raises:
        ValueError: it is no YAML, or no model is in it.
    """
    try:
        documents = list(yaml.safe_load_all(text))
    except yaml.YAMLError as problem:
        raise ValueError(f"not YAML: {problem}") from None
    found: dict[str, dict[str, ModelTiming]] = {}
    for model in _models(documents):
        name = model.get("upstreamName") or model.get("name")
        provider = model.get("provider")
        if isinstance(name, str) and isinstance(provider, str):
            found.setdefault(provider, {})[name] = _timing(model.get("latency"), jitter)
    if not found:
        raise ValueError("no RoutingTable with spec.models is in it")
    return [ProviderSpec(name, models=models) for name, models in found.items()]


def _models(documents: list[Any]) -> Iterator[dict[str, Any]]:
    for document in documents:
        spec = document.get("spec") if isinstance(document, dict) else None
        models = spec.get("models") if isinstance(spec, dict) else None
        if isinstance(models, list):
            yield from (model for model in models if isinstance(model, dict))


def _timing(latency: object, jitter: float) -> ModelTiming:
    given = latency if isinstance(latency, dict) else {}
    first, rate = (
        float(value) if isinstance(value := given.get(word), int | float) and value > 0 else 0.0
        for word in ("timeToFirstTokenMs", "tokensPerSecond")
    )
    return ModelTiming(first, rate, jitter)
