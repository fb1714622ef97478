"""Normalised specs to the engine's values. Nothing is checked here: reading did that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prism.resources.durations import seconds
from prism.resources.halves import half_floats
from prism.resources.resource import Resource, content_hash
from prism.routing.bounds import Budget, Limits, Period, Racing, Retry, RetryBudget, Wait, WhenSpent
from prism.routing.candidate_table import CandidateTable
from prism.routing.catalog import (
    MODES,
    TASKS,
    Api,
    Capability,
    ClassifierSettings,
    Credential,
    FailureMode,
    Forced,
    Latency,
    Mode,
    Model,
    Policy,
    Predictor,
    Price,
    Prompts,
    Provider,
    Table,
    Task,
)

DEFAULT_TABLE = "default"
"""The name of the table that is the default even where there are others."""


def to_table(resource: Resource) -> Table:
    """The Table of a valid RoutingTable. Its failure mode is the declared one."""
    return resource.made("table", None, lambda: _table(resource))


def _table(resource: Resource) -> Table:
    spec = resource.spec
    header = spec["identity"].get("trustedProjectHeader")
    classifier, retry, racing = spec["classifier"], spec["retry"], spec["racing"]
    return Table(
        name=resource.name,
        generation=resource.generation,
        default_mode=Mode(spec["defaultMode"]),
        auto_names=frozenset(spec["autoNames"]),
        providers={item["name"]: _provider(item) for item in spec["providers"]},
        models={item["name"]: _model(item) for item in spec["models"]},
        cells={(task, mode): tuple(spec["cells"][task][mode]) for task in TASKS for mode in MODES},
        expected_output_tokens={task: spec["expectedOutputTokens"][task] for task in TASKS},
        classifier=ClassifierSettings(
            abstain_below=float(classifier["abstainBelow"]),
            abstain_on=frozenset(Task(task) for task in classifier["abstainOn"]),
            deadline_ms=float(classifier["deadlineMs"]),
            safe_task=Task(classifier["safeTask"]),
        ),
        project_header=header.lower() if header else None,
        require_api_key=spec["identity"]["apiKeys"] == "Required",
        failure_mode=FailureMode(spec["failureMode"]),
        retry=_retry(retry),
        racing=Racing(
            modes=frozenset(Mode(mode) for mode in racing["modes"]),
            wait=Wait(racing["wait"]),
            wait_ms=racing["waitMs"],
            max_share=float(racing["maxShare"]),
            max_cost_per_hour=_bound(racing, "maxCostPerHour"),
        ),
        predictor=_predictor(spec["predictor"]) if "predictor" in spec else None,
        candidate=CandidateTable(**spec["candidate"]) if "candidate" in spec else None,
    )


def _predictor(item: Mapping[str, Any]) -> Predictor:
    return Predictor(
        digest=content_hash(item),
        classifier=item["classifier"],
        trade={mode: float(item["trade"][mode]) for mode in MODES},
        weights={entry["name"]: half_floats(entry["weights"]) for entry in item["models"]},
    )


def _retry(item: Mapping[str, Any]) -> Retry:
    most, attempt_s, budget = item["maxAttempts"], seconds(item["attemptTimeout"]), item["budget"]
    total = item.get("totalTimeout")
    return Retry(
        max_attempts=most,
        attempt_timeout_s=attempt_s,
        total_timeout_s=seconds(total) if total else most * attempt_s,
        budget=RetryBudget(budget["percent"], budget["reserve"]),
    )


def _provider(item: Mapping[str, Any]) -> Provider:
    return Provider(
        name=item["name"],
        base_url=item["baseURL"],
        api=Api(item["api"]),
        region=item["region"],
        credentials=tuple(Credential(c["key"], c["weight"]) for c in item["credentials"]),
    )


def _model(item: Mapping[str, Any]) -> Model:
    price, latency = item["price"], item["latency"]
    return Model(
        name=item["name"],
        provider=item["provider"],
        upstream_name=item.get("upstreamName", item["name"]),
        price=Price(
            input=float(price["inputPerMillion"]),
            output=float(price["outputPerMillion"]),
            cached_input=float(price.get("cachedInputPerMillion", price["inputPerMillion"])),
            cache_write=float(price.get("cacheWritePerMillion", price["inputPerMillion"])),
        ),
        quality={task: float(item["quality"][task]) for task in TASKS},
        latency=Latency(
            time_to_first_token_ms=float(latency["timeToFirstTokenMs"]),
            tokens_per_second=float(latency["tokensPerSecond"]),
        ),
        context_length=item["contextLength"],
        capabilities=frozenset(Capability(name) for name in item["capabilities"]),
        cache_ttl_s=float(item["cacheTtlSeconds"]),
    )


def to_policy(resource: Resource, default_table: str = DEFAULT_TABLE) -> Policy:
    """The Policy of a valid ProjectPolicy; ``default_table`` is used where it names none."""
    return resource.made("policy", default_table, lambda: _policy(resource, default_table))


def _policy(resource: Resource, default_table: str) -> Policy:
    spec = resource.spec
    models, regions, limits = spec["models"], spec["regions"], spec["limits"]
    mode = spec.get("defaultMode")
    return Policy(
        name=resource.name,
        project=spec["project"],
        table=spec.get("table", default_table),
        key_hashes=frozenset(key["sha256"] for key in spec["apiKeys"]),
        default_mode=Mode(mode) if mode else None,
        allowed_models=frozenset(models["allowed"]) if "allowed" in models else None,
        denied_models=frozenset(models["denied"]),
        forced=tuple(_forced(entry) for entry in spec["forced"]),
        allowed_regions=frozenset(regions["allowed"]) if "allowed" in regions else None,
        allow_pins=spec["pins"] == "Allowed",
        allow_racing=spec["racing"] == "Allowed",
        limits=Limits(
            max_cost=_bound(limits, "maxCostPerRequest"),
            min_quality=_bound(limits, "minQuality"),
            max_latency_ms=_bound(limits, "maxLatencyMs"),
        ),
        anonymous=spec["anonymous"],
        budgets=tuple(
            Budget(Period(b["period"]), float(b["maxCost"]), WhenSpent(b["action"]))
            for b in spec["budgets"]
        ),
        # Not there in a snapshot of an older operator.
        prompts=Prompts(spec.get("prompts", Prompts.NOT_KEPT)),
    )


def _bound(bounds: Mapping[str, Any], name: str) -> float | None:
    return float(bounds[name]) if name in bounds else None


def _forced(entry: Mapping[str, Any]) -> Forced:
    mode = entry.get("mode")
    return Forced(Task(entry["task"]), Mode(mode) if mode else None, entry["model"])
