"""A small table and policies for tests of the routing package.

Six models of three providers in two regions, cheap to dear, with prices, qualities and
capabilities far enough apart that each rule of the decision order picks another one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from prism.routing.bounds import Limits, Racing, Retry, RetryBudget, Wait
from prism.routing.catalog import (
    ABSTAINS_ON,
    Api,
    Capability,
    Catalog,
    ClassifierSettings,
    Credential,
    FailureMode,
    Latency,
    Mode,
    Model,
    Policy,
    Price,
    Provider,
    Table,
    Task,
)
from prism.routing.signals import Classification, Signals

EVERYTHING = frozenset(Capability)
TOOLS, VISION, JSON_SCHEMA = Capability.TOOLS, Capability.VISION, Capability.JSON_SCHEMA
SIMPLE, CODE, REASONING, COMPLEX = Task
ECO, BALANCED, SPORT = Mode


def provider(name: str, region: str) -> Provider:
    return Provider(
        name, f"https://{name}.test/v1", Api.OPENAI, region, (Credential(f"{name}-key", 1),)
    )


def model(
    name: str,
    owner: str,
    price: float,
    quality: float,
    ttft_ms: float,
    context: int = 100_000,
    capabilities: frozenset[Capability] = EVERYTHING,
) -> Model:
    """``price`` is US dollars per million tokens of input; output costs four times as much, to
    put tokens into the cache a quarter more, and to read them there a tenth."""
    return Model(
        name=name,
        provider=owner,
        upstream_name=f"{owner}/{name}",
        price=Price(price, price * 4, price / 10, price * 1.25),
        quality=dict.fromkeys(Task, quality),
        latency=Latency(ttft_ms, 100.0),
        context_length=context,
        capabilities=capabilities,
        cache_ttl_s=300.0,
    )


PROVIDERS = (provider("acorn", "eu"), provider("birch", "us"), provider("cedar", "us"))
MODELS = (
    model("tiny", "acorn", 0.1, 0.5, 100, 8_000, frozenset()),
    model("small", "birch", 0.2, 0.6, 200, 16_000, frozenset({TOOLS})),
    model("medium", "acorn", 1.0, 0.75, 400, capabilities=frozenset({TOOLS, VISION})),
    model("large", "birch", 4.0, 0.85, 800),
    model("huge", "cedar", 10.0, 0.95, 1600, 1_000_000),
    model("spare", "cedar", 2.0, 0.8, 300),
)
BY_MODE = {
    ECO: ("tiny", "small", "medium"),
    BALANCED: ("medium", "large"),
    SPORT: ("huge", "large", "medium", "small"),
}


def table(name: str = "main", **changes: Any) -> Table:
    """The table ``name``; ``spare`` is in no cell."""
    made = Table(
        name=name,
        generation="1",
        default_mode=BALANCED,
        auto_names=frozenset({"auto", "prism"}),
        providers={p.name: p for p in PROVIDERS},
        models={m.name: m for m in MODELS},
        cells={(task, mode): names for task in Task for mode, names in BY_MODE.items()},
        expected_output_tokens={SIMPLE: 100, CODE: 1000, REASONING: 2000, COMPLEX: 3000},
        classifier=ClassifierSettings(
            abstain_below=0.5, abstain_on=ABSTAINS_ON, deadline_ms=20, safe_task=COMPLEX
        ),
        project_header=None,
        require_api_key=False,
        failure_mode=FailureMode.OPEN,
        retry=Retry(3, 30.0, 90.0, RetryBudget(20, 20)),
        racing=Racing(frozenset(), Wait.FIXED, 0, 1.0, None),
    )
    return replace(made, **changes)


def policy(name: str = "acme", **changes: Any) -> Policy:
    """A policy of the project of the same name that rules nothing out."""
    made = Policy(
        name=name,
        project=name,
        table="main",
        key_hashes=frozenset(),
        default_mode=None,
        allowed_models=None,
        denied_models=frozenset(),
        forced=(),
        allowed_regions=None,
        allow_pins=True,
        allow_racing=True,
        limits=Limits(),
        anonymous=False,
    )
    return replace(made, **changes)


def catalog(*policies: Policy, tables: tuple[Table, ...] = (), version: str = "v1") -> Catalog:
    """A catalog whose default is the first of ``tables``, or ``table()`` without any."""
    made = tables or (table(),)
    return Catalog({t.name: t for t in made}, policies, made[0].name, version)


def signals(**changes: Any) -> Signals:
    """A plain request of 1,000 input tokens that leaves everything to the router."""
    made = Signals(
        model="auto",
        pin=None,
        mode=None,
        limits=Limits(),
        needs=frozenset(),
        input_tokens=1000,
        max_output_tokens=None,
        stream=False,
    )
    return replace(made, **changes)


def classified(task: Task = CODE, confidence: float = 0.9) -> Classification:
    others = (1 - confidence) / 3
    return Classification(task, confidence, {t: confidence if t is task else others for t in Task})
