"""Measured times to headers: right to within a bucket, bounded, fading, begun with a prior."""

from __future__ import annotations

import random

import pytest

from prism.serve.latency import HALF_LIFE_S, PRIOR, RENEW_S, Latencies, Sketch

from .clock import Clock


@pytest.mark.parametrize("share", [0.05, 0.5, 0.95, 0.99])
def test_quantiles_are_right_to_within_a_bucket(share: float) -> None:
    chance = random.Random(7)
    sketch = Sketch()
    times = [chance.lognormvariate(6, 0.8) for _ in range(20_000)]
    for ms in times:
        sketch.add(ms, 0.0)
    exact = sorted(times)[int(share * len(times))]
    assert sketch.quantile(share, exact, 0.0) == pytest.approx(exact, rel=0.06)


def test_before_anything_was_measured_the_prior_holds() -> None:
    latencies = Latencies(Clock())
    assert latencies.p95_ms("m", 300, streamed=True) == pytest.approx(600, rel=0.01)
    assert latencies.medians({"m": 300}) == {}
    assert Sketch().quantile(0.5, 300, 0.0) == pytest.approx(300, rel=0.1)
    assert len(PRIOR) == 10
    assert list(PRIOR) == sorted(PRIOR)


def test_measurements_outweigh_the_prior_and_fade_back_to_it() -> None:
    clock = Clock()
    latencies = Latencies(clock)

    def median() -> float:
        clock.seconds += RENEW_S
        return latencies.medians({"m": 100})["m"]

    for _ in range(3):
        latencies.observe("m", 1000, streamed=True)
    assert median() == pytest.approx(100, rel=0.3), "three say little against ten"
    for _ in range(50):
        latencies.observe("m", 1000, streamed=True)
    assert median() == pytest.approx(1000, rel=0.06)
    clock.seconds += 20 * HALF_LIFE_S
    assert median() == pytest.approx(100, rel=0.15)


def test_newer_measurements_count_more() -> None:
    clock = Clock()
    latencies = Latencies(clock)
    for ms in (100, 800):
        for _ in range(1000):
            latencies.observe("m", ms, streamed=True)
        clock.seconds += 3 * HALF_LIFE_S
    assert latencies.medians({"m": 100})["m"] == pytest.approx(800, rel=0.06)


def test_weeks_do_not_overflow_the_weights() -> None:
    clock = Clock()
    latencies = Latencies(clock)
    for _ in range(400):
        latencies.observe("m", 500, streamed=True)
        clock.seconds += 60 * HALF_LIFE_S
    latencies.observe("m", 500, streamed=True)
    assert 90 < latencies.medians({"m": 100})["m"] < 130


def test_plain_and_streamed_answers_are_kept_apart() -> None:
    latencies = Latencies(Clock())
    for _ in range(1000):
        latencies.observe("m", 100, streamed=True)
        latencies.observe("m", 5000, streamed=False)
    assert latencies.p95_ms("m", 100, streamed=True) == pytest.approx(100, rel=0.1)
    assert latencies.p95_ms("m", 5000, streamed=False) == pytest.approx(5000, rel=0.1)
    assert latencies.medians({"m": 100})["m"] == pytest.approx(100, rel=0.1)


def test_losers_of_races_keep_the_percentile_from_shrinking() -> None:
    """Given up at the wait, one in twenty; counted, the wait stays, left out, it would fall."""
    chance = random.Random(3)
    latencies = Latencies(Clock())
    for _ in range(5000):
        ms = chance.lognormvariate(5, 0.5)
        latencies.observe("m", min(ms, 340), streamed=True)
    assert latencies.p95_ms("m", 150, streamed=True) > 310


def test_a_percentile_is_worked_out_now_and_then() -> None:
    clock = Clock()
    latencies = Latencies(clock)
    latencies.observe("m", 100, streamed=True)
    before = latencies.p95_ms("m", 100, streamed=True)
    for _ in range(100):
        latencies.observe("m", 9000, streamed=True)
    assert latencies.p95_ms("m", 100, streamed=True) == before
    clock.seconds += RENEW_S
    assert latencies.p95_ms("m", 100, streamed=True) > 5000


def test_medians_are_one_object_until_one_moves() -> None:
    clock = Clock()
    latencies = Latencies(clock)
    for _ in range(1000):
        latencies.observe("m", 100, streamed=True)
    before = latencies.medians({"m": 100})
    latencies.observe("m", 105, streamed=True)
    clock.seconds += RENEW_S
    assert latencies.medians({"m": 100}) is before
    for _ in range(5000):
        latencies.observe("m", 200, streamed=True)
    assert latencies.medians({"m": 100}) is before, "not yet looked at again"
    clock.seconds += RENEW_S
    assert latencies.medians({"m": 100}) is not before


def test_models_that_are_gone_are_forgotten() -> None:
    latencies = Latencies(Clock())
    for name in "ab":
        latencies.observe(name, 100, streamed=True)
        latencies.p95_ms(name, 100, streamed=True)
    latencies.keep({"b"})
    assert set(latencies.medians({"a": 100, "b": 100})) == {"b"}
    assert latencies.p95_ms("a", 50, streamed=True) == pytest.approx(100, rel=0.01)
