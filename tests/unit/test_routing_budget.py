"""What a decision makes of budgets: a table of cases, and the calendar."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.unit.tables import CODE, ECO, SPORT, catalog, classified, policy, signals

from prism.routing.bounds import Budget, Period, WhenSpent
from prism.routing.budget import FREE, NOTHING_SPENT, Spending, Spent, held_back, span_of
from prism.routing.catalog import Forced, Mode, Policy
from prism.routing.decide import Health, decide, needs_classification
from prism.routing.decision import Decision, ErrorCode, Step
from prism.routing.identify import Caller
from prism.routing.jsonform import (
    decision_from_json,
    decision_to_json,
    spending_from_json,
    spending_to_json,
)
from prism.routing.plan import compile_plan

RESETS = 1_764_288_000  # 2025-11-28 00:00:00 UTC
HOUR, DAY, WEEK, MONTH = Period
SOFT, HARD = WhenSpent
SOFT_DAY, HARD_DAY = Budget(DAY, 40.0, SOFT), Budget(DAY, 50.0, HARD)
HARD_MONTH = Budget(MONTH, 900.0, HARD)


def spent(usd: float = 50.0, *, room: bool = False, known: bool = True, at: int = RESETS) -> Spent:
    return Spent(usd, room, known, at, at - RESETS + 60)


def decided(budgets: tuple[Budget, ...], spending: Spending, **changes: Any) -> Decision:
    held = changes.pop("held", {})
    made = policy(budgets=budgets, **held)
    plan = compile_plan(catalog(made))
    caller = Caller(plan.policies["acme"], plan.default_table)
    asked = signals(**changes)
    known = classified(CODE) if needs_classification(plan, caller, asked, spending) else None
    return decide(plan, caller, asked, known, Health(), spending=spending)


KEY, SOFT_KEY, MONTH_KEY = (DAY, HARD), (DAY, SOFT), (MONTH, HARD)
CASES: dict[str, tuple[Spending, dict[str, Any], Mode, tuple[int, ErrorCode] | None]] = {
    # what is known, what is asked, the mode, status and code of the refusal
    "nothing is known": ({}, {}, Mode.BALANCED, None),
    "there is room": ({KEY: spent(1, room=True)}, {}, Mode.BALANCED, None),
    "the soft one is spent": ({SOFT_KEY: spent(40)}, {}, ECO, None),
    "also against the request's wish": ({SOFT_KEY: spent(40)}, {"mode": SPORT}, ECO, None),
    "a named model is not changed": ({SOFT_KEY: spent(40)}, {"model": "huge"}, ECO, None),
    "the hard one is spent": ({KEY: spent()}, {}, Mode.BALANCED, (429, ErrorCode.BUDGET_SPENT)),
    "the month's is spent": (
        {MONTH_KEY: spent(901)}, {}, Mode.BALANCED, (429, ErrorCode.BUDGET_SPENT),
    ),
    "both are spent": (
        {SOFT_KEY: spent(40), KEY: spent()}, {}, ECO, (429, ErrorCode.BUDGET_SPENT),
    ),
    "named models are refused, too": (
        {KEY: spent()}, {"model": "huge"}, Mode.BALANCED, (429, ErrorCode.BUDGET_SPENT),
    ),
    "nobody knows of the hard one": (
        {KEY: spent(3, known=False)}, {}, Mode.BALANCED, (503, ErrorCode.BUDGET_UNKNOWN),
    ),
    "nobody knows of the soft one": ({SOFT_KEY: spent(3, known=False)}, {}, ECO, None),
    "one is spent, of one nobody knows": (
        {KEY: spent(3, known=False), MONTH_KEY: spent(900)}, {}, Mode.BALANCED,
        (429, ErrorCode.BUDGET_SPENT),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_request_under_budgets(case: str) -> None:
    spending, asked, mode, refused = CASES[case]
    decision = decided((SOFT_DAY, HARD_DAY, HARD_MONTH), spending, **asked)
    assert decision.mode is mode
    refusal = decision.refusal
    assert (None if refusal is None else (refusal.status, refusal.code)) == refused
    assert (decision.models == ()) == (refused is not None)
    if asked.get("model") == "huge" and refused is None:
        assert decision.models == ("huge",)
    assert decision_from_json(decision_to_json(decision)) == decision


def test_the_refusal_says_when_to_come_back() -> None:
    refusal = decided((HARD_DAY,), {KEY: spent(50.004)}).refusal
    assert refusal is not None
    assert refusal.message == (
        "Project acme has spent its budget of $50.00 a day; it begins anew at 2025-11-28T00:00:00Z."
    )
    assert refusal.retry_after_s == 60


def test_of_several_that_refuse_the_last_to_begin_anew_is_told_of() -> None:
    spending = {KEY: spent(), MONTH_KEY: spent(900, at=RESETS + 86_400)}
    for budgets in ((HARD_DAY, HARD_MONTH), (HARD_MONTH, HARD_DAY)):
        refusal = decided(budgets, spending).refusal
        assert refusal is not None
        assert "a month" in refusal.message
        assert refusal.retry_after_s == 86_460


def test_reasons_name_the_budget_and_come_after_the_project() -> None:
    decision = decided((SOFT_DAY,), {SOFT_KEY: spent(40.25)})
    first, second = decision.reasons[:2]
    assert (first.step, second.step) == (Step.PROJECT, Step.BUDGET)
    assert second.text == (
        "its budget of $40.00 a day is spent ($40.2500): mode eco until 2025-11-28T00:00:00Z"
    )


def test_a_refused_request_needs_no_classification() -> None:
    plan = compile_plan(catalog(policy(budgets=(HARD_DAY,))))
    caller = Caller(plan.policies["acme"], plan.default_table)
    assert not needs_classification(plan, caller, signals(), {KEY: spent()})
    assert needs_classification(plan, caller, signals(), {KEY: spent(1, room=True)})


def test_models_forced_in_eco_are_those_of_a_spent_budget() -> None:
    forced = tuple(Forced(task, ECO, "tiny") for task in CODE.__class__)
    decision = decided((SOFT_DAY,), {SOFT_KEY: spent(40)}, held={"forced": forced})
    assert decision.models == ("tiny",)
    assert decision.degraded is None


def test_policies_without_budgets_are_not_looked_at() -> None:
    assert held_back(None, {KEY: spent()}) is FREE
    assert held_back(policy(), {KEY: spent()}) is FREE
    with_one: Policy = replace(policy(), budgets=(HARD_DAY,))
    assert held_back(with_one, NOTHING_SPENT) is FREE
    assert held_back(with_one, {SOFT_KEY: spent()}) is FREE


def test_spending_as_json() -> None:
    spending = {KEY: spent(1.5), SOFT_KEY: spent(2, room=True)}
    assert spending_from_json(spending_to_json(spending)) == spending


@pytest.mark.parametrize(
    ("period", "now", "begin", "end"),
    [
        (HOUR, "2025-11-27T11:16:37", "2025-11-27T11:00:00", "2025-11-27T12:00:00"),
        (HOUR, "2025-12-31T23:59:59", "2025-12-31T23:00:00", "2026-01-01T00:00:00"),
        (DAY, "2025-11-27T00:00:00", "2025-11-27T00:00:00", "2025-11-28T00:00:00"),
        (DAY, "2024-02-28T12:00:00", "2024-02-28T00:00:00", "2024-02-29T00:00:00"),
        (WEEK, "2025-11-27T11:16:37", "2025-11-24T00:00:00", "2025-12-01T00:00:00"),
        (WEEK, "2025-11-30T23:59:59", "2025-11-24T00:00:00", "2025-12-01T00:00:00"),
        (MONTH, "2025-11-27T11:16:37", "2025-11-01T00:00:00", "2025-12-01T00:00:00"),
        (MONTH, "2025-12-31T23:59:59", "2025-12-01T00:00:00", "2026-01-01T00:00:00"),
        (MONTH, "2024-02-29T12:00:00", "2024-02-01T00:00:00", "2024-03-01T00:00:00"),
    ],
)
def test_periods_are_those_of_the_calendar(period: Period, now: str, begin: str, end: str) -> None:
    at = [
        datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() for text in (now, begin, end)
    ]
    assert span_of(period, at[0]) == (at[1], at[2])
