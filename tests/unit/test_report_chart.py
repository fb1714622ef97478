"""Charts of report pages: what can be read in them."""

from __future__ import annotations

import re

from prism.report.chart import BLUE, Dot, frontier_chart, shortened


def shown(*dots: Dot) -> list[str]:
    """The labels of a frontier's dots."""
    return re.findall(r">([a-z]+)</text>", frontier_chart(dots, [], "unit"))


def test_labels_that_would_lie_over_each_other_give_way_to_those_that_are_marked() -> None:
    near = [Dot(1.0, 0.5, "first"), Dot(1.001, 0.5, "second"), Dot(9.0, 0.9, "far")]
    labels = shown(*near)
    assert "first" in labels
    assert "far" in labels
    assert "second" not in labels
    marked = [Dot(1.0, 0.5, "first"), Dot(1.001, 0.5, "second", BLUE), Dot(9.0, 0.9, "far")]
    assert "first" not in shown(*marked)
    assert "second" in shown(*marked)


def test_marked_labels_all_stay() -> None:
    found = shown(Dot(1.0, 0.5, "first", BLUE), Dot(1.0, 0.5, "second", BLUE), Dot(9.0, 0.9))
    assert {"first", "second"} <= set(found)


def test_a_single_point_is_shown_and_a_long_name_leaves_it_its_place() -> None:
    def ticks(dots: list[Dot]) -> int:
        return len(re.findall(r'id="xtick_', frontier_chart(dots, [], "unit")))

    assert ticks([Dot(1.0, 0.5, "one", BLUE)]) >= 2
    wide = [Dot(1.0, 0.5, "name " * 12, BLUE), Dot(9.0, 0.9, "far", BLUE)]
    short = [Dot(1.0, 0.5, "name", BLUE), Dot(9.0, 0.9, "far", BLUE)]
    size = r'id="patch_2">\s*<path d="([^"]*)"'
    frames = [re.findall(size, frontier_chart(dots, [], "unit")) for dots in (wide, short)]
    assert frames[0] == frames[1]
    assert shortened("claude-sonnet-4-5-20250929") == "claude-sonnet-4-5-20250929"
    long = "provider/model-with-a-long-name-instruct-2026-11-27"
    assert shortened(long) == "provider/model-wit…ct-2026-11-27"


def test_the_same_numbers_give_the_same_bytes() -> None:
    dots = [Dot(1.0, 0.5, "first", BLUE), Dot(1.0, 0.5, "second", BLUE, 0.4, 0.6)]
    assert frontier_chart(dots, [], "unit") == frontier_chart(dots, [], "unit")
