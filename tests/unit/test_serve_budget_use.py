"""How far budgets are spent, as a metric whose labels are bounded."""

from __future__ import annotations

import pytest

from prism.routing.bounds import Budget, Period, WhenSpent
from prism.serve.state import MOST_BUDGETS
from prism.telemetry import prometheus
from prism.telemetry.metric import Family
from prism.telemetry.otlp import metrics_of

from .tables import policy
from .test_telemetry_docs import state


def test_the_budgets_that_are_spent_furthest_are_told() -> None:
    made = state()
    spending = made.processor.spending
    for number in range(MOST_BUDGETS + 50):
        held = policy(f"p{number:03}", budgets=(Budget(Period.DAY, 2.0, WhenSpent.REFUSE),))
        spending.reserve(f"d{number}", held, "main", 1.0)
        spending.settle(f"d{number}", number / 100)
    family = used(made.read())
    assert len(family.points) == MOST_BUDGETS
    assert family.points[0][0] == ("p149", "Day", "Refuse")
    assert family.points[0][1] == pytest.approx(0.745)
    assert family.points[-1][0][0] == "p050"
    (metric,) = metrics_of([family], 1, 2)
    assert metric.name == "prism.budget.used"
    assert metric.gauge.data_points[0].as_double == pytest.approx(0.745)
    text = prometheus.text([family], "")[0].decode()
    assert 'prism_budget_used_ratio{action="Refuse",period="Day",project="p149"} 0.745' in text


def test_without_budgets_there_is_nothing_to_tell() -> None:
    assert used(state().read()).points == []


def used(families: list[Family]) -> Family:
    (found,) = [family for family in families if family.about.name == "prism.budget.used"]
    return found
