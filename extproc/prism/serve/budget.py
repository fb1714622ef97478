"""How many further attempts each table has left, so that an outage is not made worse by retries.

A token bucket: each request puts in the budget's percentage of an attempt, each further attempt
takes a whole one, and no more than the reserve is ever in it. So after N requests there were at
most ``reserve + percent * N / 100`` further attempts, however many ran at the same time, and a
few more by the clock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from prism.routing.bounds import RetryBudget
from prism.routing.catalog import Table

REFILL_S = 200.0
"""Seconds in which the whole reserve comes back, however few requests there are."""
_ATTEMPT = 100


@dataclass(slots=True)
class _Bucket:
    """``tokens`` are hundredths of an attempt: whole numbers add up exactly."""

    budget: RetryBudget
    tokens: float
    at: float

    def fill(self, now: float) -> bool:
        """Put in what the time has brought; whether it is full."""
        most = capacity(self.budget)
        self.tokens = min(most, self.tokens + (now - self.at) * most / REFILL_S)
        self.at = now
        return self.tokens >= most


class RetryBudgets:
    """The budgets of one replica. ``clock`` gives monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}
        """By table; the bucket of a table without one is full."""
        self._made = self._denied = 0

    def left(self, table: Table) -> bool:
        """Whether a further attempt may be made just now."""
        bucket = self._buckets.get(table.name)
        if bucket is None:
            return capacity(table.retry.budget) >= _ATTEMPT
        if bucket.fill(self._clock()):
            del self._buckets[table.name]
        return bucket.tokens >= _ATTEMPT

    def requested(self, table: str) -> None:
        """A request of a table goes out."""
        bucket = self._buckets.get(table)
        if bucket is not None:
            bucket.tokens += bucket.budget.percent

    def take(self, table: Table) -> bool:
        """Take a further attempt, where one is left."""
        budget, now = table.retry.budget, self._clock()
        bucket = self._buckets.get(table.name)
        if bucket is None:
            bucket = _Bucket(budget, capacity(budget), now)
            self._buckets[table.name] = bucket
        bucket.budget = budget
        bucket.fill(now)
        if bucket.tokens < _ATTEMPT:
            self._denied += 1
            return False
        bucket.tokens -= _ATTEMPT
        self._made += 1
        return True

    def status(self) -> dict[str, Any]:
        """For ``/status``: since the start, and what is left where not all is."""
        buckets = sorted(self._buckets.items())
        left = {name: round(bucket.tokens / _ATTEMPT, 1) for name, bucket in buckets}
        return {"retries": {"made": self._made, "denied": self._denied, "left": left}}


def capacity(budget: RetryBudget) -> int:
    """What is in a full bucket: the reserve, and one attempt at least where requests bring any."""
    return _ATTEMPT * max(budget.reserve, 1 if budget.percent else 0)
