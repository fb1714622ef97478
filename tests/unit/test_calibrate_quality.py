"""Qualities: published means stay, counted ones are drawn in by as much as chance allows."""

from __future__ import annotations

import math

import pytest
from tests.unit.calibrating import ORIGIN, published

from prism.calibrate.measured import Measured, Sample
from prism.calibrate.quality import Z95, qualities
from prism.routing.catalog import TASKS, Task

CODE, SIMPLE = Task.CODE, Task.SIMPLE


def counted(model: str, **means: tuple[float, int]) -> Measured:
    """Answers graded 0 or 1: their share of 1 and their number, by task."""
    samples = {
        Task(task): Sample(mean, number, number * mean * (1 - mean))
        for task, (mean, number) in means.items()
    }
    return Measured(model, samples, ORIGIN)


def test_a_published_mean_is_taken_as_it_is_without_an_interval() -> None:
    found = qualities([published("a", 0.7), published("b", 0.5)])
    assert found["a", CODE].value == 0.7
    assert found["a", CODE].low is None


def test_many_answers_stay_where_they_were_measured() -> None:
    models = [counted("a", code=(0.7, 10_000)), counted("b", code=(0.5, 10_000))]
    found = qualities(models)["a", CODE]
    assert found.value == pytest.approx(0.7, abs=0.001)
    assert found.low is not None
    assert found.high is not None
    # The binomial interval, but for the other model's share of the noise.
    half = Z95 * math.sqrt((0.7 * 0.3 + 0.25) / 2 / 10_000)
    assert found.high - found.value == pytest.approx(half, rel=0.05)


def test_three_lucky_answers_do_not_win() -> None:
    steady = [counted(name, code=(0.7, 500)) for name in ("a", "b", "c", "d")]
    found = qualities([*steady, counted("lucky", code=(1.0, 3))])
    lucky = found["lucky", CODE]
    assert lucky.mean == 1.0
    # The mean of the five is 0.76, and three answers move little from it.
    assert lucky.value == pytest.approx(0.76, abs=0.01)


def test_a_task_that_was_not_measured_follows_from_the_model_s_others() -> None:
    models = [
        counted("good", code=(0.8, 400), simple=(0.9, 400)),
        counted("bad", code=(0.4, 400), simple=(0.5, 400)),
        counted("half", code=(0.8, 400)),
    ]
    found = qualities(models)
    # The mean at simple is 0.7; at code "half" is 0.1333 above its mean.
    assert found["half", SIMPLE].value == pytest.approx(0.7 + 0.8 - 2.0 / 3, abs=0.0001)
    assert found["half", SIMPLE].mean is None
    assert found["half", SIMPLE].count == 0
    # At a task that nobody was measured at, the better model is still the better one.
    assert found["good", Task.COMPLEX].value > found["bad", Task.COMPLEX].value


def test_every_value_is_a_share_and_within_its_interval() -> None:
    models = [counted("all", code=(1.0, 1)), counted("none", code=(0.0, 1), simple=(0.0, 40))]
    for quality in qualities(models).values():
        assert quality.low is not None
        assert quality.high is not None
        assert 0 <= quality.low <= quality.value <= quality.high <= 1


def test_nothing_measured_is_an_error() -> None:
    with pytest.raises(ValueError, match="no quality was measured"):
        qualities([Measured("a", {}, ORIGIN)])
    assert len(TASKS) == 4
