"""The table and policies that the gateway's tests run with.

Three providers; every model's upstream name differs from its own, so that a mix-up shows.
Each cell is ``first`` then the others of the mode, so that a test can tell a cell by its model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

MODELS = {
    # name: provider, US dollars per million tokens, quality, capabilities
    "mini": ("alpha", 0.1, 0.5, ["tools", "jsonSchema"]),
    "coder": ("beta", 0.5, 0.7, ["tools", "vision", "jsonSchema"]),
    "thinker": ("gamma", 2, 0.8, ["tools", "vision"]),
    "giant": ("beta", 10, 0.95, ["tools", "vision", "jsonSchema"]),
    "euro": ("gamma", 1, 0.6, ["tools", "vision", "jsonSchema"]),
}
CELLS = {
    "simple": {"eco": ["mini", "coder"], "balanced": ["mini", "euro"], "sport": ["giant", "mini"]},
    "code": {"eco": ["coder", "euro"], "balanced": ["coder", "giant"], "sport": ["giant", "euro"]},
    "reasoning": {
        "eco": ["thinker", "coder"],
        "balanced": ["thinker", "giant"],
        "sport": ["giant", "thinker"],
    },
    "complex": {
        "eco": ["euro", "giant"],
        "balanced": ["euro", "giant"],
        "sport": ["giant", "euro"],
    },
}
KEYS = {"ALPHA_KEY": "alpha-secret", "BETA_KEY": "beta-secret", "GAMMA_KEY": "gamma-secret"}
"""What the gateway has in its environment; each provider insists on its own."""
PROVIDERS = {"alpha": "us", "beta": "us", "gamma": "eu"}

CLIENT_KEY = "prism-test-client"
EURO_KEY = "prism-test-euro"
FORCED_KEY = "prism-test-forced"


def upstream(model: str) -> str:
    """What a model is called at its provider."""
    return f"{model}-2026-11"


def table(urls: Mapping[str, str], name: str = "default", **changes: Any) -> dict[str, Any]:
    """A RoutingTable; ``changes`` replace members of its spec."""
    spec: dict[str, Any] = {
        "defaultMode": "balanced",
        "providers": [
            {
                "name": provider,
                "baseURL": urls[provider],
                "region": region,
                "credentials": [{"key": f"{provider.upper()}_KEY"}],
            }
            for provider, region in PROVIDERS.items()
        ],
        "models": [_model(model) for model in MODELS],
        "cells": CELLS,
        # Tests run on busy machines; the deadline has tests of its own.
        "classifier": {"abstainBelow": 0.0, "deadlineMs": 1000, "safeTask": "complex"},
        # The budget of further attempts, too.
        "retry": {
            "maxAttempts": 3,
            "attemptTimeout": "10s",
            "budget": {"percent": 100, "reserve": 10_000},
        },
    }
    spec.update(changes)
    return document("RoutingTable", name, spec)


def _model(name: str) -> dict[str, Any]:
    provider, price, quality, capabilities = MODELS[name]
    tasks = ("simple", "code", "reasoning", "complex")
    return {
        "name": name,
        "provider": provider,
        "upstreamName": upstream(name),
        "price": {"inputPerMillion": price, "outputPerMillion": price * 4},
        "quality": dict.fromkeys(tasks, quality),
        "latency": {"timeToFirstTokenMs": 100, "tokensPerSecond": 100},
        "contextLength": 20_000_000,
        "capabilities": capabilities,
    }


def policies() -> list[dict[str, Any]]:
    """A project that may do anything, one that stays in the EU, one with a forced model."""
    return [
        document("ProjectPolicy", "client", {"project": "client", **_key(CLIENT_KEY)}),
        document(
            "ProjectPolicy",
            "euro",
            {
                "project": "euro",
                **_key(EURO_KEY),
                "regions": {"allowed": ["eu"]},
                "pins": "Denied",
            },
        ),
        document(
            "ProjectPolicy",
            "forced",
            {
                "project": "forced",
                **_key(FORCED_KEY),
                "defaultMode": "eco",
                "models": {"denied": ["giant"]},
                "forced": [{"task": "simple", "model": "euro"}],
            },
        ),
    ]


def document(kind: str, name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    """A resource as kubectl would take it."""
    return {
        "apiVersion": "routing.prism.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": dict(spec),
    }


def write(folder: Path, table: Mapping[str, Any], policies: list[dict[str, Any]]) -> None:
    """Write a configuration folder, each file at once (written aside, then renamed)."""
    folder.mkdir(exist_ok=True)
    replace(folder / "table.yaml", yaml.safe_dump(dict(table), sort_keys=False))
    replace(folder / "policies.yaml", yaml.safe_dump_all(policies, sort_keys=False))


def replace(file: Path, text: str) -> None:
    """Replace a file at once, as an editor or a ConfigMap mount does."""
    new = file.with_suffix(".new")
    new.write_text(text, "utf-8")
    new.rename(file)


def _key(key: str) -> dict[str, Any]:
    return {"apiKeys": [{"sha256": hashlib.sha256(key.encode()).hexdigest(), "name": "test"}]}
