"""The cells: which models answer a task in a mode, in order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from prism.calibrate.quality import Quality
from prism.calibrate.settings import Settings
from prism.routing.catalog import MODES, Mode, Task


@dataclass(frozen=True, slots=True)
class Point:
    """One model at one task: its quality, US dollars a request, seconds an answer."""

    model: str
    provider: str
    quality: Quality
    cost: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Choice:
    """One cell. ``names`` in the order in which they are tried; ``floor`` is the least quality
    that the mode takes, ``within`` the models that have it, in the mode's order."""

    task: Task
    mode: Mode
    names: tuple[str, ...]
    floor: float
    within: tuple[str, ...]


def eligible(points: Iterable[Point], settings: Settings) -> list[Point]:
    """Those measured well enough to be chosen; all where none was."""
    points = list(points)
    enough = [point for point in points if measured_enough(point.quality, settings)]
    return enough or points


def measured_enough(quality: Quality, settings: Settings) -> bool:
    """Whether the quality is a published mean, or one of ``min_samples`` answers or more."""
    if quality.mean is None:
        return False
    return quality.count is None or quality.count >= settings.min_samples


def choose(task: Task, points: Sequence[Point], settings: Settings) -> list[Choice]:
    """The three cells of ``task``; the same points in any order give the same cells."""
    able = eligible(points, settings)
    best = max(point.quality.value for point in able)
    choices = []
    for mode in MODES:
        floor = best * (1 - getattr(settings.tolerances, mode))
        # What rounding makes of equal numbers must not decide.
        within = [point for point in able if point.quality.value >= floor - 1e-12]
        ordered = sorted(within, key=_fastest if mode is Mode.SPORT else _cheapest)
        others = [point for point in able if point not in within]
        names = _spread([*ordered, *sorted(others, key=_best)], settings.length)
        within_names = tuple(point.model for point in ordered)
        choices.append(Choice(task, mode, names, floor, within_names))
    return choices


def frontier(points: Iterable[Point]) -> list[Point]:
    """The points that no other beats in both quality and cost, cheapest first."""
    kept: list[Point] = []
    for point in sorted(points, key=lambda p: (p.cost, -p.quality.value, p.model)):
        if not kept or point.quality.value > kept[-1].quality.value:
            kept.append(point)
    return kept


def _spread(ordered: Sequence[Point], length: int) -> tuple[str, ...]:
    """The first of each provider: a failing provider must not take the whole cell along.
    Where providers run out, the next best models in order."""
    first: dict[str, Point] = {}
    for point in ordered:
        first.setdefault(point.provider, point)
    chosen = list(first.values())[:length]
    chosen += [point for point in ordered if point not in chosen][: length - len(chosen)]
    return tuple(point.model for point in chosen)


def _cheapest(point: Point) -> tuple[float, float, str]:
    return point.cost, -point.quality.value, point.model


def _best(point: Point) -> tuple[float, float, str]:
    return -point.quality.value, point.cost, point.model


def _fastest(point: Point) -> tuple[float, float, float, str]:
    return point.seconds, -point.quality.value, point.cost, point.model
