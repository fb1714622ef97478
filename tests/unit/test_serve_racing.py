"""The count of races, and the hour over which their cost is bounded."""

from __future__ import annotations

import pytest

from prism.routing.record import Outcome
from prism.serve import racing
from prism.serve.racing import RaceLedger

from .test_routing_racing import race

RACE = race("huge", "large")
MOST = RACE.most_usd()
WASTE = RACE.waste("huge", 2, 900.0).usd


class Clock:
    seconds = 3600.0 * 24

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(clock: Clock) -> RaceLedger:
    return RaceLedger(clock)


def over(winner: str | None = "huge", attempts: int = 2, status: int | None = 200) -> Outcome:
    return Outcome(status=status, model=winner, attempts=attempts, first_byte_ms=900.0)


def spent(ledger: RaceLedger) -> float:
    return ledger.now().spent_usd.get("main", 0.0)


def test_a_race_is_charged_in_full_until_it_is_over(ledger: RaceLedger) -> None:
    ledger.opened("a", RACE)
    assert spent(ledger) == pytest.approx(MOST)
    assert ledger.settled("a", over()) is RACE
    assert spent(ledger) == pytest.approx(WASTE)
    assert ledger.settled("a", over()) is None
    assert spent(ledger) == pytest.approx(WASTE)


@pytest.mark.parametrize(
    ("outcome", "usd"),
    [
        (over(attempts=1), 0.0),
        (over(None, status=503), 0.0),
        (over("large", status=502), 0.0),
        (over("huge", status=400), WASTE),
        (over(None, status=None), WASTE),  # the client went away
        (Outcome(), 0.0),
    ],
)
def test_what_is_charged_in_the_end(ledger: RaceLedger, outcome: Outcome, usd: float) -> None:
    ledger.opened("a", RACE)
    ledger.settled("a", outcome)
    assert spent(ledger) == pytest.approx(usd)


def test_an_hour_later_nothing_is_charged(ledger: RaceLedger, clock: Clock) -> None:
    ledger.opened("a", RACE)
    ledger.opened("b", RACE)
    ledger.settled("a", over())
    clock.seconds += 3600 - 60
    assert spent(ledger) == pytest.approx(WASTE + MOST)
    clock.seconds += 60
    assert spent(ledger) == 0.0
    ledger.settled("b", over())  # longer under way than the bound looks back
    assert spent(ledger) == 0.0


def test_one_object_until_something_changes(ledger: RaceLedger, clock: Clock) -> None:
    before = ledger.now()
    assert ledger.now() is before
    ledger.opened("a", RACE)
    assert ledger.now() is not before
    assert before.spent_usd == {}
    clock.seconds += 1
    assert ledger.now() is ledger.now()


def test_outcomes_that_never_come_do_not_pile_up(
    ledger: RaceLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(racing, "MOST_OPEN", 2)
    for name in "abc":
        ledger.opened(name, RACE)
    assert ledger.settled("a", over()) is None
    assert spent(ledger) == pytest.approx(3 * MOST)
    assert ledger.settled("c", over()) is RACE


def test_the_status_counts(ledger: RaceLedger) -> None:
    for name, outcome in {
        "a": over("huge"),
        "b": over("large"),
        "c": over("huge", attempts=1),
        "d": over("huge", status=500),
        "e": over("large"),
    }.items():
        ledger.opened(name, RACE)
        ledger.settled(name, outcome)
    ledger.settled("another", over())
    status = ledger.status()["races"]
    assert status["sent"] == 5
    assert status["secondStarted"] == 4
    assert status["wins"] == {"huge": 1, "large": 2}
    usd = WASTE + 2 * RACE.waste("large", 2, 900.0).usd
    assert status["wastedEstimate"] == {
        "inputTokens": 3000,
        "outputTokens": 0,
        "costUsd": pytest.approx(usd),
    }
    assert status["lastHourUsd"] == {"main": pytest.approx(usd)}


def test_what_was_measured_is_handed_on(clock: Clock) -> None:
    def measured(model: str, prior_ms: float, *, streamed: bool) -> float:
        return 7.0

    assert RaceLedger(clock, measured).now().p95_ms is measured
