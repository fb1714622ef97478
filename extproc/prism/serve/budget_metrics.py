"""Budgets as metrics, in Prometheus' text format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

METRICS = {
    "maxUsd": ("prism_budget_max_usd", "US dollars that may be spent in the period."),
    "spentUsd": ("prism_budget_spent_usd", "US dollars spent in the period, by all replicas."),
    "reservedUsd": ("prism_budget_reserved_usd", "US dollars that requests under way may cost."),
    "room": ("prism_budget_room", "1 while another request may be paid of the budget."),
    "resetsAt": ("prism_budget_reset_seconds", "When the next period begins, since the epoch."),
}


def budget_metrics(budgets: Sequence[Mapping[str, Any]]) -> str:
    """The text of what ``SpendingLedger.status`` gave. Names of projects need no escaping."""
    lines = []
    for key, (name, told) in METRICS.items():
        lines += [f"# HELP {name} {told}", f"# TYPE {name} gauge"]
        for budget in budgets:
            labels = ",".join(f'{n}="{budget[n]}"' for n in ("project", "period", "action"))
            lines.append(f"{name}{{{labels}}} {float(budget[key]):.10g}")
    return "\n".join(lines) + "\n"
