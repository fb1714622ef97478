"""The page of a calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from prism import __version__
from prism.calibrate.build import Calibrated
from prism.calibrate.changes import changes
from prism.calibrate.choose import Point, eligible, frontier
from prism.calibrate.doubts import doubts
from prism.report.chart import COLOURS, Dot, frontier_chart, shortened
from prism.report.page import inline, page
from prism.routing.catalog import MODES, TASKS, Table, Task

_THOUSAND = 1000


def calibration_page(found: Calibrated, old: Table | None) -> str:
    """The HTML: per task the frontier and what was chosen, then changes against ``old``,
    doubts, and origins."""
    return page(
        "calibration",
        version=__version__,
        found=found,
        bounds=found.settings.tolerances,
        published=any(s.count is None for m in found.measured.values() for s in m.samples.values()),
        predicted=_predicted(found),
        sections=[_section(found, task) for task in TASKS],
        changes=None if old is None else changes(old, found.table, found.settings),
        doubts=doubts(found),
    )


def _section(found: Calibrated, task: Task) -> Mapping[str, Any]:
    points = found.points[task]
    able = eligible(points, found.settings)
    best = max(able, key=lambda point: (point.quality.value, -point.cost))
    by_name = {point.model: point for point in points}
    rows = []
    for mode in MODES:
        first, *then = found.choice(task, mode).names
        point = by_name[first]
        rows.append(
            {
                "mode": mode,
                "point": point,
                "share": _ratio(point.quality.value, best.quality.value),
                "cost_share": _ratio(point.cost, best.cost),
                "then": then,
            }
        )
    return {
        "task": task,
        "chart": inline(_chart(found, task, points, frontier(able))),
        "input": found.settings.input_tokens.of(task),
        "output": found.table.expected_output_tokens[task],
        "intervals": any(point.quality.low is not None for point in points),
        "rows": rows,
    }


def _predicted(found: Calibrated) -> list[Mapping[str, Any]]:
    """A row a mode: the predictor and the table without it, as shares of the best model."""
    worth = found.predicted
    if worth is None:
        return []
    single = worth.single
    return [
        {
            "mode": mode,
            "quality": _ratio(worth.by_mode[mode].quality, single.quality),
            "cost": _ratio(worth.by_mode[mode].cost, single.cost),
            "plain_quality": _ratio(worth.plain[mode].quality, single.quality),
            "plain_cost": _ratio(worth.plain[mode].cost, single.cost),
            "gain": worth.gains[mode],
            "spared": worth.spared[mode],
            "trade": worth.trade[mode],
        }
        for mode in MODES
    ]


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 1.0


def _chart(found: Calibrated, task: Task, points: Sequence[Point], line: Sequence[Point]) -> str:
    chosen: dict[str, list[str]] = {}
    for mode in MODES:
        chosen.setdefault(found.choice(task, mode).names[0], []).append(mode)
    on_line = {point.model for point in line}
    # What is free has no place on a logarithmic scale.
    least = min((p.cost for p in points if p.cost > 0), default=1e-6) / 2
    dots = []
    for point in points:
        modes = chosen.get(point.model, [])
        said = [*modes, *(["free"] if not point.cost else [])]
        label = shortened(point.model) + (f" ({', '.join(said)})" if said else "")
        quality = point.quality
        dots.append(
            Dot(
                max(point.cost, least) * _THOUSAND,
                quality.value,
                label if modes or point.model in on_line else "",
                COLOURS[modes[0]] if modes else "",
                quality.low,
                quality.high,
            )
        )
    steps = [(max(p.cost, least) * _THOUSAND, p.quality.value) for p in line]
    return frontier_chart(dots, steps, "US dollars for 1,000 requests")
