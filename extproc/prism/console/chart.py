"""Columns over time as SVG: only where things are. How it looks is in the style sheet.

Drawn on the server, so that a chart needs no script and takes the colours of the theme.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 900, 220
LEFT, RIGHT, TOP, BOTTOM = 64, 8, 12, 24
COLOURS = 7
"""Series that have a colour of their own in the style sheet; the last one is for all others."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a column: the number of its series, and where it is."""

    series: int
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Bar:
    """A column. ``says`` is all of it in words."""

    x: float
    width: float
    parts: Sequence[Part]
    says: str


@dataclass(frozen=True, slots=True)
class Chart:
    """``line`` has the points of a line over the columns, as SVG writes them. ``grid`` and
    ``marks`` are places on the y and the x axis, with their labels."""

    width: int
    height: int
    names: Sequence[str]
    bars: Sequence[Bar]
    line: str
    grid: Sequence[tuple[float, str]]
    marks: Sequence[tuple[float, str]]
    left: int = LEFT
    right: int = WIDTH - RIGHT
    bottom: int = HEIGHT - BOTTOM


def columns(
    labels: Sequence[str],
    series: Mapping[str, Sequence[float]],
    line: Sequence[float],
    number: Callable[[float], str],
    tick: Callable[[float], str],
) -> Chart:
    """Stacked columns, one for each label, and a line over them (empty: none). ``number`` says a
    value in words, ``tick`` at an axis."""
    totals = [sum(values) for values in zip(*series.values(), strict=True)] or [0.0] * len(labels)
    step, most = _scale(max([*totals, *line, 0.0]))
    tall = HEIGHT - TOP - BOTTOM
    pitch = (WIDTH - LEFT - RIGHT) / max(len(labels), 1)

    def place(value: float) -> float:
        return round(HEIGHT - BOTTOM - value / most * tall, 1)

    bars = []
    for column, label in enumerate(labels):
        parts, below = [], 0.0
        for place_of, values in enumerate(series.values()):
            top = place(below + values[column])
            parts.append(Part(place_of, top, round(place(below) - top, 1)))
            below += values[column]
        said = [f"{label}: {number(totals[column])}"]
        if line:
            said.append(f"baseline {number(line[column])}")
        said += [f"{name} {number(v[column])}" for name, v in series.items() if v[column]]
        x = round(LEFT + column * pitch + pitch * 0.12, 1)
        bars.append(Bar(x, round(pitch * 0.76, 1), [p for p in parts if p.height], "\n".join(said)))
    points = [f"{LEFT + (n + 0.5) * pitch:.1f},{place(value)}" for n, value in enumerate(line)]
    every = math.ceil(len(labels) / 8) or 1
    return Chart(
        WIDTH,
        HEIGHT,
        [*series],
        bars,
        " ".join(points),
        [(place(step * n), tick(step * n)) for n in range(round(most / step) + 1)],
        [
            (round(LEFT + (n + 0.5) * pitch, 1), label)
            for n, label in enumerate(labels)
            if n % every == 0
        ],
    )


def _scale(most: float) -> tuple[float, float]:
    """Round steps of an axis, three to six of them, and its end."""
    if most <= 0:
        return 1.0, 1.0
    rough = most / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * f for f in (1, 2, 2.5, 5, 10) if power * f >= rough * 0.999)
    return step, step * math.ceil(most / step - 1e-9)
