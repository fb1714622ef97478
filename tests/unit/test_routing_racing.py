"""Who may race, how far ahead the first is, and what losers cost."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from prism.routing.bounds import Racing, Wait
from prism.routing.catalog import Table
from prism.routing.racing import Race, Races, Waste, allowed, unmeasured, wait_ms

from .tables import SPORT, table

ID = "0193c0ffee00" + "7fffffff" + "00000000"
"""Of the middle of all shares."""


def racing(**changes: object) -> Racing:
    made = Racing(frozenset({SPORT}), Wait.FIXED, 200, 1.0, None)
    return replace(made, **changes)  # type: ignore[arg-type]


def races(**changes: object) -> Table:
    return table(racing=racing(**changes))


def race(*names: str, stream: bool = True, wait: int = 200) -> Race:
    made = table()
    models = tuple(made.models[name] for name in names)
    return Race(made, models, wait, input_tokens=1000, output_tokens=500, stream=stream)


@pytest.mark.parametrize(
    ("share", "may"), [(0.0, False), (0.49, False), (0.5, True), (0.51, True), (1.0, True)]
)
def test_the_decision_id_chooses_the_share(share: float, may: bool) -> None:
    assert allowed(races(max_share=share), Races(), ID) is may


def test_ids_as_they_are_made_keep_the_share() -> None:
    made = races(max_share=0.1)
    raced = sum(allowed(made, Races(), f"{1:012x}{os.urandom(8).hex()}") for _ in range(10_000))
    assert 800 < raced < 1200  # 6 standard deviations


@pytest.mark.parametrize(
    ("spent", "may"),
    [({}, True), ({"main": 0.99}, True), ({"main": 1.0}, False), ({"other": 5.0}, True)],
)
def test_the_hourly_cost_bounds_races_of_its_table(spent: dict[str, float], may: bool) -> None:
    assert allowed(races(max_cost_per_hour=1.0), Races(spent), ID) is may


def test_a_table_that_races_nothing_or_may_spend_nothing_races_nobody() -> None:
    assert not allowed(table(), Races(), ID)
    assert not allowed(races(max_cost_per_hour=0.0), Races(), ID)


@pytest.mark.parametrize(
    ("wait", "floor", "stream", "measured", "expected"),
    [
        (Wait.FIXED, 200, True, 700.0, 200),
        (Wait.P95, 0, True, 700.4, 700),
        (Wait.P95, 900, True, 700.0, 900),
        (Wait.P95, 0, True, None, 1600),  # twice the table's 800
        (Wait.P95, 0, False, None, 11_600),  # and 500 tokens, 100 a second
    ],
)
def test_the_wait(
    wait: Wait, floor: int, stream: bool, measured: float | None, expected: int
) -> None:
    def p95_ms(model: str, prior_ms: float, *, streamed: bool) -> float:
        assert (model, streamed) == ("large", stream)
        return measured or unmeasured(model, prior_ms, streamed=streamed)

    asked = racing(wait=wait, wait_ms=floor)
    assert wait_ms(asked, table().models["large"], Races({}, p95_ms), 500, stream) == expected


# Prices of input and output per million tokens: huge 10 and 20, large 4 and 8.
def test_a_race_may_cost_every_attempt_but_one_in_full() -> None:
    most = race("huge", "large", "medium").most_usd()
    rest = [table().models[name].price for name in ("large", "medium")]
    assert most == pytest.approx(sum(1000 * p.input + 500 * p.output for p in rest) / 1e6)


@pytest.mark.parametrize(
    ("winner", "attempts", "losers"),
    [
        ("huge", 2, ["large"]),
        ("large", 2, ["huge"]),
        ("medium", 3, ["huge", "large"]),
        ("huge", 1, []),
        (None, 2, ["large"]),
        ("unknown", 2, ["large"]),
        (None, 0, []),
    ],
)
def test_losers_of_a_stream_have_read_the_prompt(
    winner: str | None, attempts: int, losers: list[str]
) -> None:
    waste = race("huge", "large", "medium").waste(winner, attempts, 5000.0)
    prices = [table().models[name].price.input for name in losers]
    assert waste == Waste(1000 * len(losers), 0, pytest.approx(sum(prices) / 1000))


@pytest.mark.parametrize(
    ("headers_ms", "written"),
    # large begins 200 ms later, thinks for 800, then writes 100 tokens a second, 500 at most.
    [(None, 0), (900.0, 0), (1000.0, 0), (3000.0, 200), (60_000.0, 500)],
)
def test_a_loser_that_answers_in_one_piece_has_written_meanwhile(
    headers_ms: float | None, written: int
) -> None:
    waste = race("huge", "large", stream=False).waste("huge", 2, headers_ms)
    price = table().models["large"].price
    cost = (1000 * price.input + written * price.output) / 1e6
    assert waste == Waste(1000, written, pytest.approx(cost))
