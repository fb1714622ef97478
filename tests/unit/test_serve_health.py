"""When a model counts as failing, how long it rests, and how it comes back."""

from __future__ import annotations

import pytest

from prism.routing.decide import Health
from prism.serve.crossing import LATE_S
from prism.serve.health import (
    FAILURES,
    FEWEST,
    LONGEST_RETRY_AFTER_S,
    PROBE_EVERY_S,
    PROBE_ONE_IN,
    WINDOW,
    WINDOW_S,
    HealthTracker,
)
from prism.serve.rest import LONGEST_REST_S, REST_S

from .clock import Clock


class Model:
    """A tracker of which only the model ``m`` is looked at."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.tracker = HealthTracker(self.clock)

    def fail(self, times: int = 1) -> None:
        for _ in range(times):
            self.tracker.failed("m")

    def answer(self, times: int = 1) -> None:
        for _ in range(times):
            self.tracker.succeeded("m")

    @property
    def failing(self) -> bool:
        return "m" in self.tracker.failing()

    def probes(self, requests: int) -> list[int]:
        """The places among so many requests that try the model in its own place."""
        return [n for n in range(requests) if "m" not in self.tracker.now().failing]

    def rest(self) -> float:
        """Wait until the rest is over; returns how long that was."""
        (rest_s,) = self.tracker.rests().values()
        self.clock.seconds += rest_s
        return rest_s


def test_failures_in_a_row() -> None:
    model = Model()
    model.fail(FAILURES - 1)
    model.answer()
    model.fail(FAILURES - 1)
    assert not model.failing
    model.fail()
    assert model.failing
    assert model.tracker.failures() == {"m": FAILURES}


@pytest.mark.parametrize("told", ["answer first", "failures first"])
def test_failures_before_an_answer_are_not_in_the_row_whichever_is_told_first(told: str) -> None:
    model = Model()
    if told == "answer first":
        model.tracker.succeeded("m", at=1000.3)
    for number in range(FAILURES):
        model.tracker.failed("m", at=1000.0 + number / 10)
    if told == "failures first":
        assert model.failing
        model.tracker.succeeded("m", at=1000.3)
    assert not model.failing
    assert model.tracker.failures() == {}


@pytest.mark.parametrize("told", ["answer first", "failures first"])
def test_an_answer_before_the_failures_heals_nobody_whichever_is_told_first(told: str) -> None:
    model = Model()
    for order in ("answer first", "failures first"):
        if order == told:
            for number in range(FAILURES):
                model.tracker.failed("m", at=1000.1 + number / 10)
        else:
            model.tracker.succeeded("m", at=1000.0)
    assert model.failing
    assert model.tracker.failures() == {"m": FAILURES}
    model.tracker.succeeded("m", at=1000.5)
    assert not model.failing


def test_an_answer_among_failures_ends_the_row_before_it() -> None:
    model = Model()
    for at in (1000.1, 1000.4, 1000.2):
        model.tracker.failed("m", at=at)
    model.tracker.succeeded("m", at=1000.3)
    assert model.tracker.failures() == {"m": 1}


def test_a_word_from_before_an_answer_has_nobody_rest() -> None:
    model = Model()
    model.tracker.succeeded("m", at=1000.1)
    model.tracker.failed("m", 30.0, at=1000.0)
    assert not model.failing


@pytest.mark.parametrize("back", [LATE_S, 3600.0])
def test_where_the_clock_was_set_back_the_order_told_counts(back: float) -> None:
    model = Model()
    model.tracker.succeeded("m", at=10_000.0)
    for _ in range(FAILURES):
        model.tracker.failed("m", at=10_000.0 - back)
    assert model.failing
    model.tracker.succeeded("m", at=10_000.0 - 2 * back)
    assert not model.failing


def test_an_error_rate_counts_once_there_are_enough_outcomes() -> None:
    model = Model()
    for _ in range(FEWEST // 2 - 1):
        model.fail()
        model.answer()
    model.fail()
    assert not model.failing, "too few to say"
    model.answer()
    model.fail()
    assert model.failing


def test_a_low_error_rate_is_none() -> None:
    model = Model()
    for _ in range(WINDOW):
        model.fail()
        model.answer(2)
    assert not model.failing


def test_old_outcomes_count_no_more() -> None:
    model = Model()
    for _ in range(FEWEST // 2 - 1):
        model.fail()
        model.answer()
    model.clock.seconds += WINDOW_S + 1
    for _ in range(2):
        model.fail()
        model.answer()
    assert not model.failing


def test_after_the_rest_some_requests_try_it_in_its_own_place() -> None:
    model = Model()
    model.fail(FAILURES)
    model.clock.seconds += REST_S - 0.1
    assert model.probes(3 * PROBE_ONE_IN) == []
    model.clock.seconds += 0.1
    assert model.probes(3 * PROBE_ONE_IN) == [0], "at most one a while, however many requests"
    model.clock.seconds += PROBE_EVERY_S
    assert len(model.probes(1)) == 1
    model.clock.seconds += PROBE_EVERY_S
    assert model.probes(PROBE_ONE_IN) == [PROBE_ONE_IN - 1], "one in so many, if they are few"
    assert model.failing, "for everybody else it still goes last"


def test_an_answer_heals() -> None:
    model = Model()
    model.fail(FAILURES)
    model.rest()
    model.answer()
    assert not model.failing
    assert model.probes(5) == [0, 1, 2, 3, 4]
    model.fail(FAILURES - 1)
    assert not model.failing, "what was before is forgiven"


def test_each_failure_after_a_rest_doubles_it() -> None:
    model = Model()
    model.fail(FAILURES)
    rests = []
    for _ in range(7):
        rests.append(model.rest())
        model.fail()
        model.fail(5)  # those that were under way change nothing
    assert rests == [10, 20, 40, 80, 160, LONGEST_REST_S, LONGEST_REST_S]


def test_one_that_fails_again_soon_rests_longer_later_not() -> None:
    model = Model()
    model.fail(FAILURES)
    model.rest()
    model.answer()
    model.fail(FAILURES)
    assert model.rest() == 2 * REST_S
    model.answer()
    model.clock.seconds += 2 * REST_S
    model.fail(FAILURES)
    assert model.rest() == REST_S


@pytest.mark.parametrize(("asked", "rest"), [(7.0, 7.0), (0.0, 0.0), (1e9, LONGEST_RETRY_AFTER_S)])
def test_a_provider_s_word_on_when_to_come_back(asked: float, rest: float) -> None:
    model = Model()
    model.tracker.failed("m", asked)
    assert model.tracker.rests() == {"m": rest}
    assert model.failing


def test_a_provider_s_word_only_makes_a_rest_longer() -> None:
    model = Model()
    model.fail(FAILURES)
    model.tracker.failed("m", 1.0)
    assert model.rest() == REST_S


def test_models_rest_each_for_themselves() -> None:
    clock = Clock()
    tracker = HealthTracker(clock)
    tracker.failed("a", 10)
    clock.seconds += 5
    tracker.failed("b", 10)
    tracker.succeeded("c")
    assert tracker.now().failing == {"a", "b"}
    clock.seconds += 5
    assert tracker.now().failing == {"b"}, "a probe of a"
    assert tracker.now().failing == {"a", "b"}
    tracker.succeeded("a")
    assert tracker.now().failing == {"b"}


def test_health_is_one_object_until_it_changes() -> None:
    tracker = HealthTracker(Clock())
    before = tracker.now()
    tracker.failed("m")
    assert tracker.now() is before == Health()
    tracker.measured(before.first_token_ms)
    assert tracker.now() is before


def test_while_one_is_half_open_there_are_two_objects() -> None:
    model = Model()
    model.fail(FAILURES)
    model.rest()
    seen = {id(model.tracker.now()) for _ in range(50)}
    assert len(seen) == 2


def test_what_was_measured_stays_through_changes() -> None:
    model = Model()
    model.tracker.measured({"m": 12.0})
    model.fail(FAILURES)
    assert model.tracker.now() == Health(frozenset("m"), {"m": 12.0})
    model.rest()
    assert model.tracker.now() == Health(frozenset(), {"m": 12.0}, frozenset({"m"}))
    model.tracker.measured({"m": 15.0})
    assert model.tracker.now() == Health(frozenset("m"), {"m": 15.0})


def test_models_that_are_gone_are_forgotten() -> None:
    tracker = HealthTracker(Clock())
    for name in "ab":
        tracker.failed(name, 10)
    tracker.keep({"b"})
    assert tracker.failing() == {"b"}
    assert set(tracker.failures()) == {"b"}


def test_a_well_model_costs_no_memory() -> None:
    model = Model()
    model.fail()
    model.clock.seconds += WINDOW_S + 1
    model.answer(2)
    assert model.tracker._models == {}
