"""The chart's Grafana dashboard: ``python charts/dashboard.py`` writes it; ``--check`` compares."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

PLACE = Path(__file__).parent / "prism" / "dashboards" / "prism.json"
_SELECT = 'namespace=~"$namespace"'
_RATE = "[$__rate_interval]"
_WIDTH, _HEIGHT, _COLUMNS = 8, 8, 3


def _sum(metric: str, by: str, match: str = "") -> str:
    inside = f"{_SELECT}, {match}" if match else _SELECT
    return f"sum by ({by}) (rate({metric}{{{inside}}}{_RATE}))"


def _share(metric: str, by: str, of: str, match: str = "") -> str:
    return f"{_sum(metric, by, match)} / scalar({_sum(of, '')})"


def _mean(metric: str, by: str) -> str:
    return f"{_sum(f'{metric}_sum', by)} / {_sum(f'{metric}_count', by)}"


def _p95(metric: str, by: str = "") -> str:
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile(0.95, {_sum(f'{metric}_bucket', labels)})"


_REQUESTS, _COST = "prism_requests_total", "prism_cost_usd_total"
_BASELINE = "prism_baseline_cost_usd_total"
PANELS: list[tuple[str, str, str, str]] = [
    # title, unit, expression, legend
    ("Requests by outcome", "reqps", _sum(_REQUESTS, "outcome"), "{{outcome}}"),
    (
        "Share of requests by model",
        "percentunit",
        _share(_REQUESTS, "model", _REQUESTS),
        "{{model}}",
    ),
    ("Share of tasks", "percentunit", _share(_REQUESTS, "task", _REQUESTS), "{{task}}"),
    ("Requests by task and model", "reqps", _sum(_REQUESTS, "task, model"), "{{task}} → {{model}}"),
    ("Requests by mode", "reqps", _sum(_REQUESTS, "mode"), "{{mode}}"),
    (
        "Failovers, by the model that failed",
        "percentunit",
        _share("prism_failovers_total", "model", _REQUESTS),
        "{{model}}",
    ),
    (
        "Failed attempts",
        "reqps",
        _sum("prism_attempts_failed_total", "model, status"),
        "{{model}} {{status}}",
    ),
    (
        "Abstentions",
        "percentunit",
        _share("prism_abstentions_total", "reason", _REQUESTS),
        "{{reason}}",
    ),
    (
        "Mean confidence by task",
        "percentunit",
        _mean("prism_classifier_confidence", "task"),
        "{{task}}",
    ),
    ("US dollars an hour by model", "currencyUSD", f"3600 * {_sum(_COST, 'model')}", "{{model}}"),
    (
        "Saved against the baseline",
        "percentunit",
        f"1 - {_sum(_COST, '')} / {_sum(_BASELINE, '')}",
        "saved",
    ),
    ("Tokens", "short", _sum("prism_tokens_total", "model, kind"), "{{model}} {{kind}}"),
    (
        "Time to headers, 95 of 100",
        "s",
        _p95("prism_time_to_headers_seconds", "model"),
        "{{model}}",
    ),
    ("Decision, 95 of 100", "s", _p95("prism_route_duration_seconds"), "decision"),
    ("Classifier, 95 of 100", "s", _p95("prism_classifier_duration_seconds"), "classifier"),
    ("Races", "reqps", _sum("prism_races_won_total", "model"), "won by {{model}}"),
    (
        "Losers of races, US dollars an hour",
        "currencyUSD",
        f"3600 * {_sum('prism_races_waste_cost_usd_total', '')}",
        "wasted",
    ),
    (
        "Budgets, spent",
        "percentunit",
        f"max by (project, period) (prism_budget_spent_usd{{{_SELECT}}})"
        f" / max by (project, period) (prism_budget_max_usd{{{_SELECT}}})",
        "{{project}} {{period}}",
    ),
    (
        "Replicas by configuration",
        "short",
        f"count by (version) (prism_snapshot_info{{{_SELECT}}})",
        "{{version}}",
    ),
]


def dashboard() -> dict[str, Any]:
    """The dashboard as Grafana imports it."""
    return {
        "title": "Prism Router",
        "uid": "prism-router",
        "tags": ["prism", "llm"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {
            "list": [
                {"name": "datasource", "type": "datasource", "query": "prometheus"},
                {
                    "name": "namespace",
                    "type": "query",
                    "datasource": _source(),
                    "query": "label_values(prism_snapshot_info, namespace)",
                    "includeAll": True,
                    "allValue": ".*",
                    "multi": True,
                    "refresh": 2,
                },
            ]
        },
        "panels": [_panel(number, *panel) for number, panel in enumerate(PANELS)],
    }


def _panel(number: int, title: str, unit: str, expression: str, legend: str) -> dict[str, Any]:
    row, column = divmod(number, _COLUMNS)
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": title,
        "datasource": _source(),
        "gridPos": {"x": column * _WIDTH, "y": row * _HEIGHT, "w": _WIDTH, "h": _HEIGHT},
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": "A", "expr": expression, "legendFormat": legend, "exemplar": unit == "s"}
        ],
    }


def _source() -> dict[str, str]:
    return {"type": "prometheus", "uid": "${datasource}"}


def text() -> str:
    """The file."""
    return json.dumps(dashboard(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(PLACE.read_text("utf-8") != text())
    PLACE.write_text(text(), "utf-8")
