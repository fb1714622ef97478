"""Every refusal of the decision order, and what it tells the client."""

from __future__ import annotations

import pytest

from prism.routing.bounds import Limits
from prism.routing.catalog import Forced
from prism.routing.decision import ErrorCode

from .rows import Row, made
from .tables import (
    CODE,
    JSON_SCHEMA,
    TOOLS,
    VISION,
    policy,
)

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
