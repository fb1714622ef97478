"""The page of ``prism savings``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from prism import __version__
from prism.report.chart import bar_chart, grouped_chart
from prism.report.page import inline, page
from prism.routing.catalog import MODES, Task
from prism.savings.figures import Row, Savings, saved

_BARS = 12


def savings_page(
    savings: Savings,
    table: str,
    day: datetime,
    cpu_usd_per_hour: float,
    mix: Mapping[Task, float] | None,
) -> str:
    """The HTML: cost by mode, by task and by model, then what the figures rest on."""
    total = savings.total
    names = ["as it was", *MODES]
    costs = [total.asked.usd, *(total.modes[mode].usd for mode in MODES)]
    models = [row for row in savings.by_model if row.asked.usd][:_BARS]
    return page(
        "savings",
        version=__version__,
        savings=savings,
        table=table,
        day=day,
        cpu_price=cpu_usd_per_hour,
        mix=mix,
        modes=MODES,
        warm={mode: saved(total.asked.usd, total.modes[mode].warm_usd) for mode in MODES},
        total_chart=inline(bar_chart(names, costs, "US dollars")),
        task_chart=inline(_grouped(savings.by_task)),
        model_chart=inline(_grouped(models)) if models else "",
    )


def _grouped(rows: Sequence[Row]) -> str:
    series = {"as it was": [row.asked.usd for row in rows]}
    for mode in MODES:
        series[mode] = [row.modes[mode].usd for row in rows]
    return grouped_chart([row.name for row in rows], series, "US dollars")
