"""Documents as an API server hands them out, for tests of the operator's pure parts."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from prism.resources import API_VERSION, Resource
from prism_operator.observed import Key, Observed, observe
from prism_operator.settle import settle
from prism_operator.settlement import Settlement

_versions = itertools.count(1)
_PRICE = {"inputPerMillion": 1, "outputPerMillion": 2}
_QUALITY = {"simple": 0.8, "code": 0.7, "reasoning": 0.7, "complex": 0.7}

Document = dict[str, Any]


def document(kind: str, name: str, spec: Mapping[str, Any], **metadata: Any) -> Document:
    """One object; ``metadata`` may set namespace, uid, generation, created and so on."""
    version = next(_versions)
    created = metadata.pop("created", f"2026-01-01T00:00:{version % 60:02}Z")
    status = metadata.pop("status", {})
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": "team",
            "uid": f"{kind}-{metadata.get('namespace', 'team')}-{name}",
            "generation": 1,
            "resourceVersion": str(version),
            "creationTimestamp": created,
            **metadata,
        },
        "spec": dict(spec),
        "status": status,
    }


def table(
    name: str = "default", models: tuple[str, ...] = ("small", "large"), **more: Any
) -> Document:
    """A RoutingTable in which every cell has every model."""
    spec = {
        "providers": [{"name": "p", "baseURL": "https://p.test/v1"}],
        "models": [
            {
                "name": model,
                "provider": "p",
                "price": _PRICE,
                "quality": _QUALITY,
                "latency": {"timeToFirstTokenMs": 1, "tokensPerSecond": 1},
                "contextLength": 1000,
            }
            for model in models
        ],
        "cells": {
            task: {mode: list(models) for mode in ("eco", "balanced", "sport")} for task in _QUALITY
        },
    }
    return document("RoutingTable", name, spec, **more)


def policy(name: str, spec: Mapping[str, Any] | None = None, **more: Any) -> Document:
    """A ProjectPolicy of the project of its name."""
    return document("ProjectPolicy", name, {"project": name, **(spec or {})}, **more)


def digest(letter: str) -> dict[str, str]:
    """An entry of apiKeys."""
    return {"sha256": letter * 64}


def key(kind: str, name: str, namespace: str = "team") -> Key:
    return Key({"rt": "RoutingTable", "pp": "ProjectPolicy"}[kind], namespace, name)


def settled(
    documents: list[Document], live: Mapping[Key, Resource] | Settlement | None = None
) -> Settlement:
    """Settle documents, given an earlier settlement."""
    before = live.live if isinstance(live, Settlement) else live or {}
    return settle(observed(documents), before)


def observed(documents: list[Document]) -> list[Observed]:
    return [observe(one) for one in documents]
