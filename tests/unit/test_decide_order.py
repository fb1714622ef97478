"""The decision order as a table: one row per rule."""

from __future__ import annotations

import pytest

from prism.routing.bounds import Limits
from prism.routing.catalog import Forced
from prism.routing.decision import Step

from .rows import Row, made
from .tables import (
    BALANCED,
    CODE,
    COMPLEX,
    ECO,
    JSON_SCHEMA,
    SIMPLE,
    SPORT,
    TOOLS,
    VISION,
    classified,
    policy,
    table,
)

RANKED = ("huge", "large", "spare")
"""Every model that holds a picture and a JSON schema, by quality."""

CHOSEN = [
    # mode and task
    Row("table-default-mode", ("medium", "large")),
    Row(
        "policy-default-mode-beats-table's",
        ("tiny", "small", "medium"),
        policy(default_mode=ECO),
    ),
    Row(
        "declared-mode-beats-policy's",
        ("huge", "large", "medium"),
        policy(default_mode=ECO),
        {"mode": SPORT},
    ),
    Row(
        "cell-of-the-task",
        ("spare",),
        table={"cells": {**table().cells, (CODE, BALANCED): ("spare",)}},
        says=(Step.CELL, "cell (code, balanced): spare"),
    ),
    Row(
        "unsure-takes-the-safe-task",
        ("spare",),
        classification=classified(SIMPLE, 0.41),
        table={"cells": {**table().cells, (COMPLEX, BALANCED): ("spare",)}},
        says=(Step.CLASSIFY, "abstained: simple with confidence 0.41 < 0.50"),
    ),
    Row(
        "unsure-of-hard-work-is-hard-work",
        ("spare",),
        classification=classified(CODE, 0.41),
        table={"cells": {**table().cells, (CODE, BALANCED): ("spare",)}},
        says=(Step.CLASSIFY, "code, confidence 0.41"),
    ),
    Row(
        "no-classification-takes-the-safe-task",
        ("spare",),
        classification=None,
        degraded="deadline of 20 ms passed",
        table={"cells": {**table().cells, (COMPLEX, BALANCED): ("spare",)}},
        says=(Step.CLASSIFY, "deadline of 20 ms passed; safe task complex"),
    ),
    # 2: eligible
    Row(
        "denied-model-is-skipped",
        ("large",),
        policy(denied_models=frozenset({"medium"})),
        says=(Step.ELIGIBLE, "denied by policy acme"),
    ),
    Row(
        "model-outside-the-allowed-set-is-skipped",
        ("large",),
        policy(allowed_models=frozenset({"large", "huge"})),
        says=(Step.ELIGIBLE, "not among the allowed models of policy acme"),
    ),
    Row(
        "model-outside-the-regions-is-skipped",
        ("medium",),
        policy(allowed_regions=frozenset({"eu"})),
        says=(Step.ELIGIBLE, "region us is not allowed by policy acme"),
    ),
    Row(
        "model-without-tools-is-skipped",
        ("small", "medium"),
        asks={"mode": ECO, "needs": frozenset({TOOLS})},
        says=(Step.ELIGIBLE, "lacks tools"),
    ),
    Row(
        "model-without-vision-is-skipped",
        ("medium",),
        asks={"mode": ECO, "needs": frozenset({VISION, TOOLS})},
        says=(Step.ELIGIBLE, "lacks tools, vision"),
    ),
    Row(
        "model-without-json-schema-is-skipped",
        ("large",),
        asks={"needs": frozenset({JSON_SCHEMA})},
        says=(Step.ELIGIBLE, "lacks jsonSchema"),
    ),
    Row(
        "prompt-and-expected-answer-must-fit",
        ("small", "medium"),
        asks={"mode": ECO, "input_tokens": 7_500},
        says=(Step.ELIGIBLE, "context of 8000 tokens, the request needs 8500"),
    ),
    Row(
        "prompt-and-whole-ceiling-must-fit",
        ("medium",),
        asks={"mode": ECO, "max_output_tokens": 20_000},
        says=(Step.ELIGIBLE, "context of 16000 tokens, the request needs 21000"),
    ),
    Row(
        "low-ceiling-makes-room",
        ("tiny", "small", "medium"),
        asks={"mode": ECO, "input_tokens": 7_500, "max_output_tokens": 500},
    ),
    # 3: forced
    Row(
        "forced-for-the-task",
        ("spare",),
        policy(forced=(Forced(CODE, None, "spare"),)),
        says=(Step.FORCED, "policy forces spare for code"),
    ),
    Row(
        "forced-for-another-task-does-not-count",
        ("medium", "large"),
        policy(forced=(Forced(SIMPLE, None, "spare"),)),
    ),
    Row(
        "forced-for-the-mode-beats-forced-for-all",
        ("huge",),
        policy(forced=(Forced(CODE, None, "spare"), Forced(CODE, BALANCED, "huge"))),
    ),
    Row(
        "forced-for-another-mode-does-not-count",
        ("medium", "large"),
        policy(forced=(Forced(CODE, ECO, "spare"),)),
    ),
    Row(
        "forced-beats-a-pin",
        ("spare",),
        policy(forced=(Forced(CODE, None, "spare"),)),
        {"pin": "huge"},
        says=(Step.PIN, "asked for, but policy forces another model"),
    ),
    # 4: pin
    Row("pin", ("tiny",), asks={"pin": "tiny"}, says=(Step.PIN, "no other model is tried")),
    Row("named-model-is-a-pin", ("huge",), asks={"model": "huge"}),
    Row("pin-beats-named-model", ("tiny",), asks={"model": "huge", "pin": "tiny"}),
    Row("pin-auto-routes", ("medium", "large"), asks={"model": "huge", "pin": "auto"}),
    Row("second-auto-name-routes", ("medium", "large"), asks={"model": "prism"}),
    Row("auto-is-no-pin", ("medium", "large"), policy(allow_pins=False), {"model": "auto"}),
    Row("failing-pin-is-still-tried", ("tiny",), asks={"pin": "tiny"}, failing=frozenset({"tiny"})),
    # 5: the cell and what stands in for it
    Row(
        "ruled-out-cell-falls-back-by-quality",
        RANKED,
        policy(denied_models=frozenset({"medium", "tiny", "small"})),
        {"needs": frozenset({VISION, JSON_SCHEMA})},
        {"cells": {**table().cells, (CODE, BALANCED): ("tiny",)}},
        says=(Step.CELL, "best quality first: huge, large, spare"),
    ),
    Row(
        "ruled-out-cell-falls-back-by-cost-in-eco",
        ("spare", "large", "huge"),
        asks={"mode": ECO, "needs": frozenset({JSON_SCHEMA})},
        says=(Step.CELL, "cheapest first: spare, large, huge"),
    ),
    # 6: limits (1,000 tokens in and 1,000 out: a model of price p costs 5000 p / 1e6 dollars)
    Row(
        "max-cost-takes-the-best-under-budget",
        ("medium", "small"),
        asks={"mode": SPORT, "limits": Limits(max_cost=0.01)},
        says=(Step.LIMITS, "best quality under the cost limit first: medium, small"),
    ),
    Row(
        "max-cost-says-what-was-too-dear",
        ("medium", "small"),
        asks={"mode": SPORT, "limits": Limits(max_cost=0.01)},
        says=(Step.LIMITS, "estimated cost $0.05 is over $0.01"),
    ),
    Row(
        "min-quality-takes-the-cheapest-above",
        ("medium", "large", "huge"),
        asks={"mode": SPORT, "limits": Limits(min_quality=0.7)},
        says=(Step.LIMITS, "quality 0.6 for code is below 0.7"),
    ),
    Row(
        "min-quality-and-max-cost",
        ("medium", "large"),
        asks={"mode": SPORT, "limits": Limits(max_cost=0.04, min_quality=0.7)},
    ),
    Row(
        "max-latency-keeps-the-order",
        ("medium", "small"),
        asks={"mode": SPORT, "limits": Limits(max_latency_ms=10_500)},
        says=(Step.LIMITS, "estimated latency 11600 ms is over 10500 ms"),
    ),
    Row(
        "policy-limit-holds-without-a-request's",
        ("medium", "small"),
        policy(limits=Limits(max_cost=0.01)),
        {"mode": SPORT},
    ),
    Row(
        "policy-limit-leaves-the-order",
        ("medium", "large"),
        policy(limits=Limits(max_cost=0.04)),
    ),
    Row(
        "policy-limit-beats-a-laxer-request's",
        ("medium", "small"),
        policy(limits=Limits(max_cost=0.01)),
        {"mode": SPORT, "limits": Limits(max_cost=1)},
    ),
    Row(
        "request-limit-beats-a-laxer-policy's",
        ("huge", "large", "medium"),
        policy(limits=Limits(max_cost=0.06)),
        {"mode": SPORT, "limits": Limits(max_cost=0.055)},
    ),
    Row(
        "higher-quality-floor-holds",
        ("large", "huge"),
        policy(limits=Limits(min_quality=0.6)),
        {"mode": SPORT, "limits": Limits(min_quality=0.8)},
    ),
    Row(
        "request-cannot-lower-the-policy's-floor",
        ("large", "huge"),
        policy(limits=Limits(min_quality=0.8)),
        {"mode": SPORT, "limits": Limits(min_quality=0.1)},
    ),
    Row(
        "lower-latency-bound-holds",
        ("medium", "small"),
        policy(limits=Limits(max_latency_ms=10_500)),
        {"mode": SPORT, "limits": Limits(max_latency_ms=60_000)},
    ),
    Row(
        "limits-that-empty-the-cell-look-at-the-table",
        ("small", "tiny"),
        asks={"limits": Limits(max_cost=0.002)},
        says=(Step.CELL, "no model of the cell keeps the limits"),
    ),
    Row(
        "limits-hold-for-the-fallback-too",
        ("spare",),
        asks={"mode": ECO, "needs": frozenset({JSON_SCHEMA}), "limits": Limits(max_cost=0.01)},
    ),
    # 7: health, and how many attempts
    Row(
        "failing-goes-last",
        ("large", "medium"),
        failing=frozenset({"medium"}),
        says=(Step.HEALTH, "failing now, goes last"),
    ),
    Row(
        "all-failing-keep-their-order",
        ("medium", "large"),
        failing=frozenset({"medium", "large"}),
        says=(Step.HEALTH, "failing now, as every candidate is"),
    ),
    Row(
        "failing-makes-room-for-a-healthy-one",
        ("large", "medium", "small"),
        asks={"mode": SPORT},
        failing=frozenset({"huge"}),
        says=(Step.ATTEMPTS, "at most 3 attempts; not tried: huge"),
    ),
]


@pytest.mark.parametrize("row", CHOSEN, ids=lambda row: row.id)
def test_chooses(row: Row) -> None:
    decision = made(row)
    assert decision.models == row.models
    assert decision.refusal is None
    if row.says is not None:
        step, words = row.says
        texts = [reason.text for reason in decision.reasons if reason.step is step]
        assert any(words in text for text in texts), decision.reasons


def test_the_trace_follows_the_order_of_the_steps() -> None:
    decision = made(
        Row(
            "",
            policy=policy(denied_models=frozenset({"tiny"}), limits=Limits(max_cost=0.04)),
            asks={"mode": ECO, "needs": frozenset({TOOLS})},
            failing=frozenset({"small"}),
        )
    )
    steps = list(dict.fromkeys(reason.step for reason in decision.reasons))
    assert steps == [step for step in Step if step in steps]
    assert decision.reasons[0].text == "policy acme of project acme; table main, 5 of 6 models"


def test_the_estimate_is_the_first_model_s() -> None:
    estimate = made(Row("", asks={"mode": SPORT, "max_output_tokens": 500})).estimate
    assert estimate is not None
    assert (estimate.input_tokens, estimate.output_tokens) == (1000, 500)
    assert estimate.cost_usd == pytest.approx((1000 * 10 + 500 * 40) / 1e6)
    assert estimate.latency_ms == pytest.approx(1600 + 5000)
