"""Keeps count of races: how many, who won, and what losers cost, which has a bound an hour."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from prism.routing.racing import P95, Race, Races, Waste, unmeasured
from prism.routing.record import Outcome

MINUTES = 60
"""The bound on cost is over this long, in steps of a minute."""
_NOTHING = Waste(0, 0, 0.0)
MOST_OPEN = 10_000
"""Races whose outcome is awaited. One that never comes leaves its race charged in full."""


@dataclass(frozen=True, slots=True)
class _Open:
    race: Race
    minute: int
    usd: float


class RaceLedger:
    """Charges each race in full when it is sent out, and what it really cost once it is over.

    ``clock`` gives monotonic seconds. ``p95_ms`` is handed on to the decision.
    """

    def __init__(self, clock: Callable[[], float], p95_ms: P95 = unmeasured) -> None:
        self._clock = clock
        self._p95_ms = p95_ms
        self._open: OrderedDict[str, _Open] = OrderedDict()
        self._charged: dict[tuple[str, int], float] = {}
        """US dollars by table and minute."""
        self._minute = 0
        self._races = Races({}, p95_ms)
        self.sent = self.started = 0
        """Races sent out, and those of them whose second model started."""
        self.wins: Counter[str] = Counter()
        """Races of several models that each model has won."""
        self.waste = _NOTHING
        """What losers cost, as estimated."""

    def now(self) -> Races:
        """What to decide with; the same object until something changes."""
        if self._now() != self._minute:
            self._renew()
        return self._races

    def opened(self, decision_id: str, race: Race) -> None:
        """A race was sent out."""
        self.sent += 1
        minute, usd = self._now(), race.most_usd()
        self._open[decision_id] = _Open(race, minute, usd)
        if len(self._open) > MOST_OPEN:
            self._open.popitem(last=False)
        self.now()
        self._charge((race.table.name, minute), usd)

    def settled(self, decision_id: str, outcome: Outcome) -> Race | None:
        """A request is over; gives its race, where it was one."""
        found = self._open.pop(decision_id, None)
        if found is None:
            return None
        race, attempts, waste = found.race, outcome.attempts or 0, _NOTHING
        # A server error is the client's answer only once every attempt has failed.
        if outcome.status is None or outcome.status < 500:
            waste = race.waste(outcome.model, attempts, outcome.first_byte_ms)
        if attempts > 1:
            self._count(waste, outcome)
        place = race.table.name, found.minute
        self.now()
        if place in self._charged:
            self._charge(place, waste.usd - found.usd)
        return race

    def status(self) -> dict[str, Any]:
        """For ``/status``: since the start, and the cost of the last hour by table."""
        spent = self.now().spent_usd
        return {
            "races": {
                "sent": self.sent,
                "secondStarted": self.started,
                "wins": dict(self.wins),
                "wastedEstimate": {
                    "inputTokens": self.waste.input_tokens,
                    "outputTokens": self.waste.output_tokens,
                    "costUsd": round(self.waste.usd, 8),
                },
                "lastHourUsd": {table: round(usd, 8) for table, usd in spent.items()},
            }
        }

    def _count(self, waste: Waste, outcome: Outcome) -> None:
        self.started += 1
        so_far = self.waste
        self.waste = Waste(
            so_far.input_tokens + waste.input_tokens,
            so_far.output_tokens + waste.output_tokens,
            so_far.usd + waste.usd,
        )
        if outcome.model is not None and outcome.status is not None and outcome.status < 400:
            self.wins[outcome.model] += 1

    def _now(self) -> int:
        return int(self._clock() // 60)

    def _charge(self, place: tuple[str, int], usd: float) -> None:
        self._charged[place] = self._charged.get(place, 0.0) + usd
        spent, table = self._races.spent_usd, place[0]
        self._races = Races({**spent, table: spent.get(table, 0.0) + usd}, self._p95_ms)

    def _renew(self) -> None:
        self._minute = self._now()
        oldest = self._minute - MINUTES
        spent: dict[str, float] = {}
        for (table, minute), usd in list(self._charged.items()):
            if minute <= oldest:
                del self._charged[table, minute]
            else:
                spent[table] = spent.get(table, 0.0) + usd
        self._races = Races(spent, self._p95_ms)
