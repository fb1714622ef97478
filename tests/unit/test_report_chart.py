"""Charts of report pages: what can be read in them."""

from __future__ import annotations

import re

from prism.report.chart import BLUE, Dot, frontier_chart


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


def test_the_same_numbers_give_the_same_bytes() -> None:
    dots = [Dot(1.0, 0.5, "first", BLUE), Dot(1.0, 0.5, "second", BLUE, 0.4, 0.6)]
    assert frontier_chart(dots, [], "unit") == frontier_chart(dots, [], "unit")
