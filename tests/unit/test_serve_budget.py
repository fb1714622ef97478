"""The budget of further attempts: a token bucket per table."""

from __future__ import annotations

import pytest

from prism.routing.bounds import Retry, RetryBudget
from prism.routing.catalog import Table
from prism.serve.budget import REFILL_S, RetryBudgets

from .clock import Clock
from .tables import table


def budgeted(percent: int, reserve: int, name: str = "main") -> Table:
    return table(name, retry=Retry(3, 30.0, 90.0, RetryBudget(percent, reserve)))


def burst(budgets: RetryBudgets, held: Table, requests: int, wanted: int) -> int:
    """Requests that go out one after the other, each wanting so many further attempts."""
    made = 0
    for _ in range(requests):
        if not budgets.left(held):
            budgets.requested(held.name)
            continue
        budgets.requested(held.name)
        for _ in range(wanted):
            if not budgets.take(held):
                break
            made += 1
    return made


@pytest.mark.parametrize(
    ("percent", "reserve", "requests", "most"),
    [
        (20, 20, 1000, 220),
        (20, 0, 1000, 201),
        (0, 20, 1000, 20),
        (0, 0, 1000, 0),
        (100, 5, 100, 105),
        (25, 3, 40, 13),
    ],
)
def test_an_outage_gets_no_more_than_the_budget(
    percent: int, reserve: int, requests: int, most: int
) -> None:
    budgets = RetryBudgets(Clock())
    made = burst(budgets, budgeted(percent, reserve), requests, wanted=2)
    assert 0.8 * most <= made <= most


def test_requests_under_way_cannot_overdraw_it() -> None:
    budgets, held = RetryBudgets(Clock()), budgeted(20, 20)
    for _ in range(100):  # all are decided before the first fails
        assert budgets.left(held)
        budgets.requested("main")
    assert [budgets.take(held) for _ in range(100)].count(True) == 20
    assert budgets.status() == {"retries": {"made": 20, "denied": 80, "left": {"main": 0.0}}}


def test_the_reserve_comes_back_with_time() -> None:
    clock = Clock()
    budgets, held = RetryBudgets(clock), budgeted(20, 20)
    assert [budgets.take(held) for _ in range(20)] == [True] * 20
    assert not budgets.left(held)
    clock.seconds += REFILL_S / 20
    assert budgets.left(held)
    clock.seconds += REFILL_S
    assert budgets.left(held)
    assert budgets.status()["retries"]["left"] == {}
    assert [budgets.take(held) for _ in range(21)] == [True] * 20 + [False]


def test_requests_that_go_well_save_no_more_than_the_reserve() -> None:
    budgets, held = RetryBudgets(Clock()), budgeted(20, 2)
    assert budgets.take(held)
    for _ in range(1000):
        budgets.left(held)
        budgets.requested("main")
    assert [budgets.take(held) for _ in range(3)] == [True, True, False]


def test_tables_have_budgets_of_their_own() -> None:
    budgets, one, other = RetryBudgets(Clock()), budgeted(0, 1), budgeted(0, 1, "other")
    assert budgets.take(one)
    assert not budgets.take(one)
    assert budgets.take(other)


def test_a_changed_budget_holds_at_once() -> None:
    budgets = RetryBudgets(Clock())
    assert budgets.take(budgeted(0, 1))
    assert not budgets.take(budgeted(0, 1))
    budgets.requested("main")
    assert not budgets.take(budgeted(100, 1))
    budgets.requested("main")
    assert budgets.take(budgeted(100, 1))
