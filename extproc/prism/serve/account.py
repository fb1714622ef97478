"""One budget in one period, as one replica keeps it: whole numbers, no I/O.

Amounts are in billionths of a US dollar, so that sums are exact. Where replicas share a budget,
the store lends each of them a part of what is left: no replica spends beyond its part but for the
request that it lets in last, so all together overspend by one request each at most.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from prism.routing.bounds import Period, WhenSpent

NANO = 1_000_000_000
_STEPS = 16
"""The part of a new period's budget that a replica may spend before it has asked the store."""

Place = tuple[str, Period, WhenSpent]
"""Project, period and action: what a budget is found by."""


def nano(usd: float) -> int:
    """Billionths of a dollar, rounded up: what costs something counts."""
    return math.ceil(round(usd * NANO, 3))


@dataclass(slots=True)
class Account:
    """``limit`` for the period from ``begin`` to ``end`` (seconds since the epoch).

    ``settled`` is what this replica's answers cost, ``reserved`` what those under way are
    expected to. Of the store: ``told`` is how much of ``settled`` it knows, ``known`` what all
    replicas had spent then, and ``lent`` what this one may spend until ``lent_until`` (monotonic
    seconds).
    """

    place: Place
    limit: int
    begin: int
    end: int
    settled: int = 0
    reserved: int = 0
    told: int = 0
    known: int = 0
    lent: int = 0
    lent_until: float = -math.inf
    usual: int = 0
    """What a request of it costs, of late."""

    @property
    def spent(self) -> int:
        """What all replicas spent as far as is known here, requests under way by estimate."""
        return self.known + self.settled - self.told + self.reserved

    def has_room(self) -> bool:
        """Whether the budget is not spent, by what is known here."""
        return self.spent < self.limit

    def lent_left(self, now: float) -> int | None:
        """What is left of what the store lent; ``None`` where that no longer holds."""
        if now >= self.lent_until:
            return None
        return self.lent - (self.settled - self.told) - self.reserved

    def reserve(self, amount: int) -> None:
        """A request goes out that is expected to cost ``amount``."""
        self.reserved += amount

    def settle(self, reserved: int, cost: int) -> None:
        """Such a request is over, and cost ``cost``."""
        self.reserved -= reserved
        self.settled += cost
        self.usual = cost if not self.usual else (7 * self.usual + cost) // 8

    def needs(self) -> int:
        """The least to ask the store for: requests under way, and one or two more."""
        return self.reserved + max(2 * self.usual, 1)

    def lend(self, told: int, known: int, lent: int, until: float) -> None:
        """Take in the store's answer; ``told`` is what it was told then."""
        self.told, self.known = told, known
        self.lent, self.lent_until = lent, until

    def lend_ahead(self, until: float) -> None:
        """Begin a period with a small part of it, before the store was asked."""
        self.lent, self.lent_until = self.limit // _STEPS, until

    def silent(self) -> bool:
        """Whether the store knows all of it, and nothing more will come."""
        return self.reserved == 0 and self.settled == self.told
