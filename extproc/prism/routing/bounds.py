"""What a table or a policy bounds: one request, its attempts, its races, a project's spending."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prism.routing.catalog import Mode


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one request; ``None`` means no bound.

    ``max_cost`` in US dollars, ``min_quality`` 0 to 1, ``max_latency_ms`` to the last
    token of an answer of the expected length.
    """

    max_cost: float | None = None
    min_quality: float | None = None
    max_latency_ms: float | None = None


@dataclass(frozen=True, slots=True)
class RetryBudget:
    """How many further attempts there may be, so that an outage is not amplified: ``percent`` of
    the number of requests, and ``reserve`` more after a quiet time."""

    percent: int
    reserve: int


@dataclass(frozen=True, slots=True)
class Retry:
    """How the gateway goes on to the next model: attempts in all, seconds to headers for each
    and for all together."""

    max_attempts: int
    attempt_timeout_s: float
    total_timeout_s: float
    budget: RetryBudget


class Wait(StrEnum):
    """How far ahead of the second model the first is in a race."""

    FIXED = "Fixed"
    P95 = "P95"


@dataclass(frozen=True, slots=True)
class Racing:
    """Speculative racing: a second provider starts ``wait_ms`` after the first.

    With ``wait`` of ``P95`` it starts when 95 of 100 of the first model's answers would have
    begun, ``wait_ms`` at the earliest. ``max_share`` is the share of requests (0 to 1) that
    may be raced, ``max_cost_per_hour`` the US dollars that losers may cost; ``None``: any.
    """

    modes: frozenset[Mode]
    wait: Wait
    wait_ms: int
    max_share: float
    max_cost_per_hour: float | None


class Period(StrEnum):
    """A span of the calendar, in UTC; a week begins on Monday."""

    HOUR = "Hour"
    DAY = "Day"
    WEEK = "Week"
    MONTH = "Month"


class WhenSpent(StrEnum):
    """What becomes of a project's requests once a budget is spent."""

    ECO = "Eco"
    """They are decided in the mode eco."""
    REFUSE = "Refuse"


@dataclass(frozen=True, slots=True)
class Budget:
    """What a project may spend in each ``period``: ``max_cost`` US dollars."""

    period: Period
    max_cost: float
    action: WhenSpent
