"""Spend and savings: over time, by model, by task and by project."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection

from prism.console.asking import Asked, Window
from prism.console.chart import COLOURS, Chart, columns
from prism.console.money import Baselines, Money, by_key
from prism.ledger.sums import TIME, Key, Only, Span, Sums, sums
from prism.report.page import usd

OTHERS = "others"
MOST_ROWS = 100
"""Rows of a table of projects."""


@dataclass(frozen=True, slots=True)
class Spend:
    """``stretches`` has the beginning of each column with its money: the chart in numbers."""

    total: Money
    chart: Chart
    stretches: Sequence[tuple[str, Money]]
    models: Sequence[tuple[str, Money]]
    tasks: Sequence[tuple[str, Money]]
    projects: Sequence[tuple[str | None, Money]]


def spend(
    connection: Connection, asked: Asked, now_s: float, best: Baselines, *, projects: bool = True
) -> Spend:
    """What was spent in the window; ``projects`` asks for them, too."""
    span, only = asked.span(now_s), asked.only()
    by = (TIME, "routing_table", "task", "answered_by")
    found = sums(connection, span, only, by, asked.stretch_ms)
    models = _ordered(by_key(_keyed(found, 3), best))
    starts = range(span.since_ms, span.until_ms, asked.stretch_ms)
    times = by_key(_keyed(found, 0), best)
    labels = [label(start, asked.window) for start in starts]
    money = [times.get(start, Money()) for start in starts]
    own = [str(name) for name, of in models if name is not None and of.total][: COLOURS - 1]
    series = {name: [0.0] * len(labels) for name in own}
    rest = [0.0] * len(labels)
    for (time, _, _, model), one in found.items():
        column = (time - span.since_ms) // asked.stretch_ms
        series.get(str(model), rest)[column] += one.cost_usd
    if any(rest):
        series[OTHERS] = rest
    line = [one.baseline + one.unknown for one in money]
    total = Money()
    for (_, table, task, _), one in found.items():
        total.add(one, best.get((table, task)))
    return Spend(
        total,
        columns(labels, series, line if any(line) else [], usd, _tick),
        list(zip(labels, money, strict=True)),
        [(str(name), of) for name, of in models if name is not None],
        [(str(name), of) for name, of in _ordered(by_key(_keyed(found, 2), best))],
        _projects(connection, span, only, best) if projects else [],
    )


def _projects(
    connection: Connection, span: Span, only: Only, best: Baselines
) -> list[tuple[str | None, Money]]:
    found = sums(connection, span, only, ("project", "routing_table", "task"))
    money = by_key(((key[0], key[1], key[2], one) for key, one in found.items()), best)
    rows = [(None if name is None else str(name), of) for name, of in _ordered(money)]
    return rows[:MOST_ROWS]


def label(start_ms: int, window: Window) -> str:
    """The beginning of a stretch, UTC, as short as the window allows."""
    time = datetime.fromtimestamp(start_ms / 1000, UTC)
    if window in (Window.HOUR, Window.DAY):
        return f"{time:%H:%M}"
    return f"{time:%d %b}" if window is Window.MONTH else f"{time:%d %b %H:%M}"


def _tick(amount: float) -> str:
    return f"${amount:,.2f}" if amount >= 0.05 or not amount else usd(amount)


def _keyed(found: dict[Key, Sums], place: int) -> Iterable[tuple[object, str, str, Sums]]:
    """Sums by (time, table, task, model), with one of these as the key."""
    return ((key[place], key[1], key[2], one) for key, one in found.items())


def _ordered(found: dict[object, Money]) -> list[tuple[object, Money]]:
    """The dearest first."""
    return sorted(found.items(), key=lambda item: (-item[1].total, str(item[0])))
