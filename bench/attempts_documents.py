"""The configuration of ``make bench-attempts``: a table, a project and providers for each part.

Models that parts do not share have no health in common either.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from prism.providers import ModelTiming

TASKS = ("simple", "code", "reasoning", "complex")
ALONE, RACED = "balanced", "sport"
INPUT, OUTPUT = 1.0, 4.0
"""US dollars per million tokens, at any provider: only ratios count."""


@dataclass(frozen=True, slots=True)
class Part:
    """One table. ``providers`` are the simulated ones, each with one model, in the order of
    the cells; ``timing`` is how quick they all are. ``alone``: the first model's own cells in
    every mode but sport."""

    name: str
    providers: Sequence[str]
    timing: ModelTiming
    retry: Mapping[str, Any]
    more: Mapping[str, Any] = field(default_factory=dict)
    alone: bool = False

    @property
    def key(self) -> str:
        """The client's."""
        return f"prism-bench-{self.name}"

    @property
    def models(self) -> list[str]:
        return [f"{provider}-model" for provider in self.providers]


RACING = Part(
    "default",
    ("alpha", "beta"),
    ModelTiming(time_to_first_token_ms=200, tokens_per_second=200, jitter=0.5),
    {"maxAttempts": 2, "attemptTimeout": "30s"},
    {"racing": {"modes": [RACED], "wait": "P95", "maxShare": 1}},
    alone=True,
)
DOWN = Part(
    "one-down",
    ("gamma", "delta"),
    ModelTiming(time_to_first_token_ms=100, tokens_per_second=200, jitter=0.5),
    {"maxAttempts": 2, "attemptTimeout": "2s"},
)
# One request in four fails over here, which no budget of an outage would allow for long.
FAILOVER = Part(
    "failover",
    ("epsilon", "zeta"),
    ModelTiming(),
    {"maxAttempts": 2, "attemptTimeout": "30s", "budget": {"percent": 100}},
)
BURST = Part(
    "burst",
    ("eta", "theta", "iota"),
    ModelTiming(time_to_first_token_ms=50, tokens_per_second=400, jitter=0.5),
    {"maxAttempts": 3, "attemptTimeout": "30s"},
)
PARTS = (RACING, DOWN, FAILOVER, BURST)
ONE_ATTEMPT, ATTEMPTS = "one-attempt", "attempts"
"""Two tables that are alike but for how many attempts they allow."""


def documents(urls: Mapping[str, str], upstream: str) -> str:
    """All of it as YAML. ``upstream`` is the base URL of the one that answers at once."""
    return yaml.safe_dump_all([*_parts(urls), *_stage(upstream)])


def stage_key(table: str) -> str:
    """The client's key for one of the two tables that are alike."""
    return f"prism-bench-{table}"


def _parts(urls: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for part in PARTS:
        providers = {name: urls[name] for name in part.providers}
        first = part.models[:1] if part.alone else part.models
        cell = {ALONE: first, "eco": first, RACED: part.models}
        spec = {
            **_models(dict(zip(part.models, part.providers, strict=True)), providers),
            "cells": dict.fromkeys(TASKS, cell),
            "retry": dict(part.retry),
            **part.more,
        }
        yield _document("RoutingTable", part.name, spec)
        yield _policy(part.name, part.key)


def _stage(upstream: str) -> Iterator[dict[str, Any]]:
    names = ("one", "two", "three")
    # Another provider each, as where a provider's failure is to be survived.
    urls = {f"stage-{name}": upstream for name in names}
    models = {f"stage-{name}-model": f"stage-{name}" for name in names}
    cell = {mode: list(models) for mode in ("eco", ALONE, RACED)}
    for table, attempts in ((ONE_ATTEMPT, 1), (ATTEMPTS, 3)):
        spec = {
            **_models(models, urls),
            "cells": dict.fromkeys(TASKS, cell),
            "retry": {"maxAttempts": attempts},
        }
        yield _document("RoutingTable", table, spec)
        yield _policy(table, stage_key(table))


def _models(models: Mapping[str, str], urls: Mapping[str, str]) -> dict[str, Any]:
    return {
        "failureMode": "Closed",
        "providers": [{"name": name, "baseURL": url, "region": "eu"} for name, url in urls.items()],
        "models": [
            {
                "name": name,
                "provider": provider,
                "price": {"inputPerMillion": INPUT, "outputPerMillion": OUTPUT},
                "quality": dict.fromkeys(TASKS, 0.7),
                "latency": {"timeToFirstTokenMs": 200, "tokensPerSecond": 200},
                "contextLength": 400_000,
            }
            for name, provider in models.items()
        ],
    }


def _policy(table: str, key: str) -> dict[str, Any]:
    digest = hashlib.sha256(key.encode()).hexdigest()
    keys = [{"sha256": digest, "name": "bench"}]
    return _document("ProjectPolicy", table, {"project": table, "table": table, "apiKeys": keys})


def _document(kind: str, name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    head = {"apiVersion": "routing.prism.dev/v1alpha1", "kind": kind}
    return {**head, "metadata": {"name": name}, "spec": dict(spec)}
