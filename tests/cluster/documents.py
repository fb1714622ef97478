"""Small resources to apply."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prism.resources import API_VERSION

Document = dict[str, Any]

_TASKS = ("simple", "code", "reasoning", "complex")


def document(kind: str, name: str, spec: Document) -> Document:
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}


def table(
    name: str = "default", models: Sequence[str] = ("small", "large"), **spec: Any
) -> Document:
    """A RoutingTable in which every cell has every model."""
    made = {
        "providers": [{"name": "p", "baseURL": "https://p.test/v1"}],
        "models": [_model(model) for model in models],
        "cells": {t: {m: list(models) for m in ("eco", "balanced", "sport")} for t in _TASKS},
    }
    return document("RoutingTable", name, {**made, **spec})


def _model(name: str) -> Document:
    return {
        "name": name,
        "provider": "p",
        "price": {"inputPerMillion": 1, "outputPerMillion": 2},
        "quality": dict.fromkeys(_TASKS, 0.8),
        "latency": {"timeToFirstTokenMs": 100, "tokensPerSecond": 100},
        "contextLength": 128_000,
    }


def policy(name: str, **spec: Any) -> Document:
    """A ProjectPolicy of the project of its name."""
    return document("ProjectPolicy", name, {"project": name, **spec})


def key(letter: str) -> dict[str, str]:
    """An entry of apiKeys."""
    return {"sha256": letter * 64}
