"""What is applied: one table that changes, and the many tables and policies of a large company."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

Document = dict[str, Any]

TABLES, POLICIES = 50, 2000
MODELS = ("odd", "even")
"""The model that answers tells which version of the table routed a request."""
KEY = "bench-client-key"
CREDENTIAL = "BENCH_PROVIDER_KEY"
_TASKS = ("simple", "code", "reasoning", "complex")
_MODES = ("eco", "balanced", "sport")


def change(number: int, upstream_port: int) -> Document:
    """The default table after change ``number``: everything goes to the other model, which has
    a new name at its provider, so that clusters come and go with each change."""
    return table("default", upstream_port, number)


def model_after(number: int) -> str:
    """The model that answers after change ``number``."""
    return MODELS[number % 2]


def table(name: str, upstream_port: int, number: int = 0) -> Document:
    """A RoutingTable."""
    # First the model of this change; the other one is for policies that deny it.
    names = [model_after(number), model_after(number + 1)]
    cells = {task: dict.fromkeys(_MODES, names) for task in _TASKS}
    provider = {
        "name": "upstream",
        "baseURL": f"http://127.0.0.1:{upstream_port}/v1",
        "region": "eu",
        "credentials": [{"key": CREDENTIAL}],
    }
    spec = {
        "failureMode": "Closed",
        "providers": [provider],
        "models": [_model(model, f"{model}-{name}-{number}") for model in MODELS],
        "cells": cells,
    }
    return _document("RoutingTable", name, spec)


def policy(name: str, key: str, table: str | None = None) -> Document:
    """A ProjectPolicy with one key."""
    digest = hashlib.sha256(key.encode()).hexdigest()
    spec: Document = {"project": name, "apiKeys": [{"sha256": digest, "name": "bench"}]}
    if table is not None:
        spec |= {
            "table": table,
            "models": {"denied": [MODELS[0]]},
            "limits": {"maxCostPerRequest": 1},
        }
    return _document("ProjectPolicy", name, spec)


def many(upstream_port: int) -> list[Document]:
    """``TABLES`` tables and ``POLICIES`` policies, those that ``change`` needs among them."""
    names = ["default", *(f"team-{number}" for number in range(1, TABLES))]
    tables = [table(name, upstream_port) for name in names]
    policies = [
        policy(f"project-{number}", f"key-{number}", names[1 + number % (TABLES - 1)])
        for number in range(1, POLICIES)
    ]
    return [*tables, policy("bench", KEY), *policies]


def text(documents: Sequence[Document]) -> str:
    """What kubectl reads."""
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(documents)})


def _model(name: str, upstream: str) -> Document:
    return {
        "name": name,
        "provider": "upstream",
        "upstreamName": upstream,
        "price": {"inputPerMillion": 0.1, "outputPerMillion": 0.4},
        "quality": dict.fromkeys(_TASKS, 0.7),
        "latency": {"timeToFirstTokenMs": 100, "tokensPerSecond": 100},
        "contextLength": 128_000,
    }


def _document(kind: str, name: str, spec: Document) -> Document:
    return {
        "apiVersion": "routing.prism.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": spec,
    }
