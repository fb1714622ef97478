"""Charts as SVG text."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter
from matplotlib.transforms import Bbox

BLUE, GREY, ORANGE, GREEN = "#2f6db5", "#8a8a8a", "#d9822b", "#3d9a62"
COLOURS: Mapping[str, str] = {
    "eco": GREEN,
    "balanced": BLUE,
    "sport": ORANGE,
    "changed": BLUE,  # beside "as it was", which is grey
}
_STEP = 3
"""Points by which a label moves at a time."""
_POINTS = 72
"""Points of an inch."""
_ROOM = 8
"""Pixels between a label that may go and any other."""
_EDGE = 4
"""Pixels that are kept free between a label and the edge."""
_HEAD, _TAIL = 18, 13
"""Characters of a long name that a chart shows of its beginning and its end."""
_STYLE: dict[Any, Any] = {
    # The same numbers give the same bytes; text stays text.
    "svg.hashsalt": "prism",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.axisbelow": True,
}


@dataclass(frozen=True, slots=True)
class Dot:
    """A point of a scatter chart. ``label`` is written beside it, ``low`` and ``high`` are
    drawn as a whisker; ``colour`` marks it."""

    x: float
    y: float
    label: str = ""
    colour: str = ""
    low: float | None = None
    high: float | None = None


@contextmanager
def drawing(width: float, height: float) -> Iterator[tuple[Figure, Axes, list[str]]]:
    """A figure in inches, its axes, and a list that has its SVG afterwards."""
    made: list[str] = []
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure, figure.subplots(), made
        text = io.StringIO()
        # Without a ground of its own a chart is at home on a dark page, too.
        about = {"Date": None, "Creator": None}
        figure.savefig(text, format="svg", metadata=about, transparent=True)
    svg = text.getvalue()
    made.append(svg[svg.index("<svg") :])


def shortened(name: str) -> str:
    """``name`` as a chart has room for it; tables have it whole. Names of models often differ at
    their end only."""
    return name if len(name) <= _HEAD + _TAIL + 1 else f"{name[:_HEAD]}…{name[-_TAIL:]}"


def frontier_chart(dots: Sequence[Dot], line: Sequence[tuple[float, float]], unit: str) -> str:
    """Quality over cost (a logarithmic scale), with the frontier as steps."""
    with drawing(6.6, 4.2) as (figure, axes, made):
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(StrMethodFormatter("${x:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.grid(color="#e6e6e6", linewidth=0.6)
        if line:
            xs, ys = zip(*line, strict=True)
            axes.step(xs, ys, where="post", color=GREY, linewidth=1.2, zorder=1)
        labels = [label for dot in dots if (label := _draw(axes, dot)) is not None]
        axes.set_xlabel(unit)
        axes.set_ylabel("quality")
        axes.margins(x=0.14, y=0.08)
        if len({dot.x for dot in dots}) == 1:
            # A logarithmic scale of a single value has no extent of its own.
            axes.set_xlim(dots[0].x / 3, dots[0].x * 3)
        _part(figure, labels)
    return made[0]


def _part(figure: Figure, labels: Sequence[Annotation]) -> None:
    """Keep labels off each other: of those that are not marked the later one goes, a marked one
    moves up."""
    figure.draw_without_rendering()
    placed: list[Bbox] = []
    for label in sorted(labels, key=lambda label: label.get_fontweight() != "bold"):
        box = _inside(figure, label)
        if label.get_fontweight() != "bold" and box.padded(_ROOM).count_overlaps(placed):
            label.set_visible(False)
            continue
        while box.count_overlaps(placed):
            across, up = label.xyann
            label.xyann = (across, up + _STEP)
            box = label.get_window_extent()
        placed.append(box)


def _inside(figure: Figure, label: Annotation) -> Bbox:
    """Where the label is once no edge of the figure cuts it."""
    box = label.get_window_extent()
    over = max(0, box.x1 + _EDGE - figure.bbox.x1) - max(0, figure.bbox.x0 + _EDGE - box.x0)
    across, up = label.xyann
    label.xyann = (across - over * _POINTS / figure.dpi, up)
    return label.get_window_extent()


def _draw(axes: Axes, dot: Dot) -> Annotation | None:
    size, colour = (52, dot.colour) if dot.colour else (18, "#b9b9b9")
    if dot.low is not None and dot.high is not None:
        axes.vlines(dot.x, dot.low, dot.high, color=colour, linewidth=0.8, zorder=2)
    axes.scatter([dot.x], [dot.y], s=size, color=colour, zorder=3, linewidths=0)
    if not dot.label:
        return None
    label = axes.annotate(
        dot.label,
        (dot.x, dot.y),
        xytext=(0, 6),
        textcoords="offset points",
        ha="center",
        fontsize=7.5,
        fontweight="bold" if dot.colour else "normal",
        color="#333333" if dot.colour else "#777777",
    )
    # A long label must not make the chart smaller.
    label.set_in_layout(False)
    return label


def bar_chart(names: Sequence[str], values: Sequence[float], unit: str) -> str:
    """Horizontal bars with their values, the first on top."""
    with drawing(6.6, 0.6 + 0.32 * len(names)) as (_, axes, made):
        colours = [COLOURS.get(name, GREY) for name in names]
        bars = axes.barh(range(len(names)), values, color=colours, height=0.62)
        axes.bar_label(bars, fmt="{:,.4g}", padding=3, fontsize=8)
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_xlabel(unit)
        axes.margins(x=0.12)
    return made[0]


def grouped_chart(names: Sequence[str], series: Mapping[str, Sequence[float]], unit: str) -> str:
    """Horizontal bars side by side, one of each series a name, the first on top."""
    height = 0.8 / len(series)
    with drawing(6.6, 1.1 + 0.17 * len(series) * len(names)) as (figure, axes, made):
        for number, (label, values) in enumerate(series.items()):
            places = [place - 0.4 + (number + 0.5) * height for place in range(len(names))]
            colour = COLOURS.get(label, GREY)
            bars = axes.barh(places, values, color=colour, height=height * 0.9, label=label)
            axes.bar_label(bars, fmt="{:,.4g}", padding=2, fontsize=7)
        axes.set_yticks(range(len(names)), [shortened(name) for name in names])
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_xlabel(unit)
        axes.margins(x=0.14)
        figure.legend(frameon=False, fontsize=8, loc="outside upper left", ncols=len(series))
    return made[0]
