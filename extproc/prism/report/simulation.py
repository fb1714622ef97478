"""The page of ``prism simulate``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from markupsafe import Markup

from prism import __version__
from prism.report.chart import grouped_chart
from prism.report.page import inline, page
from prism.simulate.difference import Difference, Sum

_BARS = 12
_MOVES = 50
"""Moves that are written out; JSON has all."""
NOW, CHANGED = "as it was", "changed"


def simulation_page(found: Difference, limits: Sequence[str], change: Sequence[str]) -> str:
    """The HTML: what moves, what it costs and how good it is, in all and by project, task and
    mode, then each move with its examples. ``limits`` are sentences on broken limits, ``change``
    the names of the files that were simulated."""
    moves = found.largest_moves()
    sections = [
        (title, ordered, _charts(ordered))
        for title, sums in (
            ("project", found.projects),
            ("task", found.tasks),
            ("mode", found.modes),
        )
        if (ordered := _ordered(sums))
    ]
    return page(
        "simulation",
        version=__version__,
        found=found,
        total=found.total,
        limits=limits,
        change_of=change,
        infinite=math.inf,
        sections=sections,
        moves=moves[:_MOVES],
        other_moves=len(moves[_MOVES:]),
    )


def _ordered(sums: Mapping[str, Sum]) -> list[tuple[str, Sum]]:
    return sorted(sums.items(), key=lambda item: (-item[1].decisions, item[0]))


def _charts(ordered: Sequence[tuple[str, Sum]]) -> list[Markup]:
    """Cost before and after, and quality where it is known."""
    shown = ordered[:_BARS]
    cost = {
        NOW: [total.cost_before for _, total in shown],
        CHANGED: [total.cost_after for _, total in shown],
    }
    made = [inline(grouped_chart([name for name, _ in shown], cost, "US dollars"))]
    if graded := [(name, total) for name, total in shown if total.graded]:
        quality = {
            NOW: [total.quality_before / total.graded for _, total in graded],
            CHANGED: [total.quality_after / total.graded for _, total in graded],
        }
        made.append(inline(grouped_chart([name for name, _ in graded], quality, "quality")))
    return made
