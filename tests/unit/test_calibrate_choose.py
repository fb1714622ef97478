"""Cells by tolerance, hand-checked: frontier, ties, too few samples, providers."""

from __future__ import annotations

import itertools

import pytest
from tests.unit.calibrating import point

from prism.calibrate.choose import Point, choose, frontier
from prism.calibrate.settings import Settings, Tolerances
from prism.routing.catalog import MODES, Mode, Task

SETTINGS = Settings()
BEST = point("best", 0.80, 10.0, seconds=9)
NEAR = point("near", 0.79, 5.0, seconds=3)  # 98.75 % of the best
FAIR = point("fair", 0.76, 1.0, seconds=1)  # 95 %
POOR = point("poor", 0.50, 0.1, seconds=1)


def cells(points: list[Point], settings: Settings = SETTINGS) -> dict[Mode, tuple[str, ...]]:
    return {choice.mode: choice.names for choice in choose(Task.CODE, points, settings)}


def test_each_mode_gives_up_its_share_of_quality_and_no_more() -> None:
    assert cells([BEST, NEAR, FAIR, POOR]) == {
        Mode.ECO: ("fair", "near", "best"),
        Mode.BALANCED: ("near", "best", "fair"),
        Mode.SPORT: ("best", "near", "fair"),
    }


def test_the_order_of_the_measurements_changes_nothing() -> None:
    wanted = cells([BEST, NEAR, FAIR, POOR])
    for points in itertools.permutations([BEST, NEAR, FAIR, POOR]):
        assert cells(list(points)) == wanted


@pytest.mark.parametrize(
    ("tolerance", "first"), [(0.0, "best"), (0.0125, "near"), (0.05, "fair"), (0.9, "poor")]
)
def test_a_tolerance_is_a_field_and_its_bound_is_within(tolerance: float, first: str) -> None:
    settings = Settings(tolerances=Tolerances(eco=tolerance))
    assert cells([BEST, NEAR, FAIR, POOR], settings)[Mode.ECO][0] == first


def test_of_equal_quality_sport_takes_the_fastest() -> None:
    quick = point("quick", 0.80, 20.0, seconds=2)
    assert cells([BEST, quick])[Mode.SPORT] == ("quick", "best")


def test_of_equal_cost_the_better_comes_first_and_then_the_name() -> None:
    twins = [point("b", 0.79, 1.0), point("a", 0.79, 1.0), point("c", 0.80, 1.0)]
    assert cells(twins)[Mode.ECO] == ("c", "a", "b")


def test_a_model_with_few_answers_is_not_chosen() -> None:
    lucky = point("lucky", 0.99, 0.1, count=SETTINGS.min_samples - 1)
    assert all("lucky" not in names for names in cells([BEST, NEAR, FAIR, lucky]).values())


def test_where_all_have_few_answers_they_are_all_there_is() -> None:
    assert cells([point("a", 0.9, 1.0, count=2)])[Mode.ECO] == ("a",)


def test_a_cell_goes_on_at_another_provider() -> None:
    points = [
        point("a1", 0.80, 1.0, provider="a"),
        point("a2", 0.79, 2.0, provider="a"),
        point("b1", 0.60, 3.0, provider="b"),
    ]
    assert cells(points, Settings(length=2))[Mode.ECO] == ("a1", "b1")
    # Where providers run out, their other models follow.
    assert cells(points)[Mode.ECO] == ("a1", "b1", "a2")


def test_the_floor_is_said() -> None:
    floors = {c.mode: c.floor for c in choose(Task.CODE, [BEST, NEAR], SETTINGS)}
    assert [round(floors[mode], 4) for mode in MODES] == [0.752, 0.784, 0.8]


def test_the_frontier_has_what_nothing_beats() -> None:
    beaten = point("beaten", 0.75, 2.0)
    level = point("level", 0.76, 3.0)
    points = [BEST, beaten, POOR, level, NEAR, FAIR]
    assert [p.model for p in frontier(points)] == ["poor", "fair", "near", "best"]
    assert frontier([]) == []
