"""The decision order as a table: one row per rule, each refusal included."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from prism.routing.catalog import Forced, Limits, Policy, Racing
from prism.routing.decide import Health, decide
from prism.routing.decision import Decision, ErrorCode, Step
from prism.routing.identify import Caller
from prism.routing.plan import compile_plan
from prism.routing.signals import Classification

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
    catalog,
    classified,
    policy,
    signals,
    table,
)

NONE: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Row:
    """What is asked under which policy, and what must come out.

    ``says`` is a pair of step and words that one reason must have.
    """

    id: str
    models: tuple[str, ...] = ()
    policy: Policy | None = None
    asks: dict[str, Any] = field(default_factory=dict)
    table: dict[str, Any] = field(default_factory=dict)
    classification: Classification | None = field(default_factory=classified)
    failing: frozenset[str] = NONE
    degraded: str | None = None
    says: tuple[Step, str] | None = None
    refused: tuple[int, ErrorCode, str] | None = None


def made(row: Row) -> Decision:
    tab = table(**row.table)
    plan = compile_plan(catalog(*([row.policy] if row.policy else []), tables=(tab,)))
    return decide(
        plan,
        Caller(row.policy, tab),
        signals(**row.asks),
        row.classification,
        Health(row.failing),
        degraded=row.degraded,
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
        classification=classified(CODE, 0.41),
        table={"cells": {**table().cells, (COMPLEX, BALANCED): ("spare",)}},
        says=(Step.CLASSIFY, "abstained: confidence 0.41 < 0.50"),
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
    # 6: limits (5,000 tokens in and out: a model of price p costs 5000 p/1e6 × (1 + 4 × 1000/1000))
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

REFUSED = [
    Row(
        "unknown-model",
        asks={"model": "meduim"},
        refused=(404, ErrorCode.MODEL_NOT_FOUND, "Did you mean 'medium'?"),
    ),
    Row(
        "unknown-model-lists-what-the-caller-may-use",
        policy=policy(allowed_models=frozenset({"tiny", "small"})),
        asks={"model": "gpt-99"},
        refused=(404, ErrorCode.MODEL_NOT_FOUND, "Send 'auto' to have one chosen, or one of: "),
    ),
    Row(
        "unknown-pin",
        asks={"pin": "gpt-99"},
        refused=(404, ErrorCode.MODEL_NOT_FOUND, "'gpt-99' does not exist"),
    ),
    Row(
        "pin-where-none-is-allowed",
        policy=policy(allow_pins=False),
        asks={"pin": "huge"},
        refused=(403, ErrorCode.PIN_NOT_ALLOWED, "send 'auto' as 'model'"),
    ),
    Row(
        "named-model-where-no-pin-is-allowed",
        policy=policy(allow_pins=False),
        asks={"model": "huge"},
        refused=(403, ErrorCode.PIN_NOT_ALLOWED, "Policy acme"),
    ),
    Row(
        "pin-of-a-denied-model",
        policy=policy(denied_models=frozenset({"huge"})),
        asks={"pin": "huge"},
        refused=(403, ErrorCode.MODEL_NOT_ALLOWED, "denied by policy acme"),
    ),
    Row(
        "pin-outside-the-regions",
        policy=policy(allowed_regions=frozenset({"eu"})),
        asks={"model": "huge"},
        refused=(403, ErrorCode.MODEL_NOT_ALLOWED, "region us is not allowed by policy acme"),
    ),
    Row(
        "pin-that-lacks-vision",
        asks={"pin": "small", "needs": frozenset({VISION})},
        refused=(400, ErrorCode.NO_ELIGIBLE_MODEL, "'small' was asked for, but cannot take this"),
    ),
    Row(
        "pin-too-short-for-the-prompt",
        asks={"pin": "tiny", "input_tokens": 9_000},
        refused=(400, ErrorCode.NO_ELIGIBLE_MODEL, "context of 8000 tokens"),
    ),
    Row(
        "pin-over-a-limit",
        policy=policy(limits=Limits(max_cost=0.01)),
        asks={"pin": "huge"},
        refused=(400, ErrorCode.NO_ELIGIBLE_MODEL, "estimated cost $0.05 is over $0.01"),
    ),
    Row(
        "forced-but-denied",
        policy=policy(forced=(Forced(CODE, None, "huge"),), denied_models=frozenset({"huge"})),
        refused=(403, ErrorCode.NO_ELIGIBLE_MODEL, "'huge' is forced by policy, but cannot"),
    ),
    Row(
        "forced-but-incapable",
        policy=policy(forced=(Forced(CODE, None, "tiny"),)),
        asks={"needs": frozenset({TOOLS})},
        refused=(400, ErrorCode.NO_ELIGIBLE_MODEL, "lacks tools"),
    ),
    Row(
        "refused-pin-is-refused-whatever-is-forced",
        policy=policy(forced=(Forced(CODE, None, "tiny"),), denied_models=frozenset({"huge"})),
        asks={"pin": "huge"},
        refused=(403, ErrorCode.MODEL_NOT_ALLOWED, "denied by policy acme"),
    ),
    Row(
        "policy-leaves-no-model",
        policy=policy(allowed_regions=frozenset({"moon"})),
        refused=(403, ErrorCode.NO_ELIGIBLE_MODEL, "- huge: region us is not allowed"),
    ),
    Row(
        "no-model-holds-the-prompt",
        asks={"input_tokens": 2_000_000},
        refused=(400, ErrorCode.NO_ELIGIBLE_MODEL, "- huge: context of 1000000 tokens"),
    ),
    Row(
        "no-model-keeps-the-limits",
        asks={"limits": Limits(max_cost=0.000001)},
        refused=(400, ErrorCode.NO_ELIGIBLE_MODEL, "- spare: estimated cost $0.01 is over"),
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


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: row.id)
def test_refuses(row: Row) -> None:
    decision = made(row)
    assert row.refused is not None
    assert decision.models == ()
    assert decision.estimate is None
    assert decision.refusal is not None
    status, code, words = row.refused
    assert (decision.refusal.status, decision.refusal.code) == (status, code)
    assert words in decision.refusal.message


def test_a_refusal_has_a_line_for_each_model_of_the_table() -> None:
    denied = policy(denied_models=frozenset({"tiny"}), limits=Limits(max_cost=0.01))
    decision = made(
        Row(
            "",
            policy=denied,
            asks={"needs": frozenset({JSON_SCHEMA, VISION}), "limits": Limits(min_quality=0.9)},
        )
    )
    assert decision.refusal is not None
    assert decision.refusal.message.splitlines() == [
        "No model can take this request:",
        "- tiny: denied by policy acme",
        "- small: lacks jsonSchema, vision",
        "- medium: lacks jsonSchema",
        "- large: estimated cost $0.02 is over $0.01",
        "- huge: estimated cost $0.05 is over $0.01",
        "- spare: quality 0.8 for code is below 0.9",
    ]


def test_an_error_about_an_unknown_model_tells_nothing_of_denied_ones_nor_repeats_a_book() -> None:
    denied = policy(denied_models=frozenset({"huge"}))
    decision = made(Row("", policy=denied, asks={"model": "hugee" + "x" * 10_000_000}))
    assert decision.refusal is not None
    assert "huge," not in decision.refusal.message
    assert len(decision.refusal.message) < 500


RACING = {"racing": Racing(frozenset({BALANCED}), 50, 1.0)}


@pytest.mark.parametrize(
    ("row", "allowed", "races"),
    [
        pytest.param(Row("", table=RACING), True, True, id="two-providers"),
        pytest.param(Row("", table=RACING), False, False, id="share-used-up"),
        pytest.param(Row(""), True, False, id="table-races-no-mode"),
        pytest.param(Row("", table=RACING, asks={"mode": SPORT}), True, False, id="other-mode"),
        pytest.param(Row("", table=RACING, asks={"pin": "huge"}), True, False, id="one-model"),
        pytest.param(
            Row("", policy=policy(allow_racing=False), table=RACING),
            True,
            False,
            id="policy-forbids",
        ),
        pytest.param(
            Row("", table=RACING, failing=frozenset({"large"})), True, False, id="second-fails"
        ),
        pytest.param(
            Row(
                "",
                table={**RACING, "cells": {**table().cells, (CODE, BALANCED): ("huge", "spare")}},
            ),
            True,
            False,
            id="one-provider",
        ),
    ],
)
def test_races(row: Row, allowed: bool, races: bool) -> None:
    tab = table(**row.table)
    plan = compile_plan(catalog(*([row.policy] if row.policy else []), tables=(tab,)))
    caller, health = Caller(row.policy, tab), Health(row.failing)
    decision = decide(plan, caller, signals(**row.asks), classified(), health, race_allowed=allowed)
    assert decision.race is races
    assert ("medium races large" in [reason.text for reason in decision.reasons]) is races


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
