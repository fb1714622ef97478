"""Budgets: what a decision makes of money that is spent.

What is spent is an input; who counts it is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from prism.routing.bounds import Budget, Period, WhenSpent
from prism.routing.catalog import Mode, Policy
from prism.routing.decision import ErrorCode, Reason, Refusal, Step

UNKNOWN_AGAIN_S = 1
"""Seconds after which to ask again where nobody knows what is spent."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What is known of one budget.

    ``usd`` is what was spent in this period, in US dollars, requests under way by estimate.
    ``room`` says whether another request may be paid of it, and ``known`` is false where that
    is the answer for want of knowledge. The next period begins at ``resets_at``, in seconds
    since the epoch, which is in ``resets_in_s`` seconds.
    """

    usd: float
    room: bool
    known: bool
    resets_at: int
    resets_in_s: int


Spending = Mapping[tuple[Period, WhenSpent], Spent]
"""What is known of a policy's budgets; one that is not there has room."""
NOTHING_SPENT: Spending = MappingProxyType({})
SpendingOf = Callable[[Policy | None], Spending]
"""Tells what is known of the budgets of a policy just now."""


def nothing_spent(_: Policy | None) -> Spending:
    """No budget is ever spent."""
    return NOTHING_SPENT


@dataclass(frozen=True, slots=True)
class Held:
    """What budgets do to a request: the mode that it must have, or why it is refused."""

    mode: Mode | None
    refusal: Refusal | None
    reasons: tuple[Reason, ...]


FREE = Held(None, None, ())


def held_back(policy: Policy | None, spending: Spending) -> Held:
    """What the budgets of ``policy`` do. Of several that refuse, the one that does so longest
    is told of: before its period is over no other matters."""
    if policy is None or not policy.budgets or not spending:
        return FREE
    mode: Mode | None = None
    last: tuple[Budget, Spent] | None = None
    reasons: list[Reason] = []
    for budget in policy.budgets:
        spent = spending.get((budget.period, budget.action))
        if spent is None or spent.room:
            continue
        if budget.action is WhenSpent.ECO:
            mode = Mode.ECO
        elif last is None or _order(spent) > _order(last[1]):
            last = budget, spent
        reasons.append(Reason(Step.BUDGET, _reason(budget, spent)))
    if mode is None and last is None:
        return FREE
    return Held(mode, None if last is None else _refusal(policy, *last), tuple(reasons))


def _order(spent: Spent) -> tuple[bool, int]:
    return spent.known, spent.resets_at


def _reason(budget: Budget, spent: Spent) -> str:
    what = "refused" if budget.action is WhenSpent.REFUSE else "mode eco"
    if not spent.known:
        return f"what is spent of {_named(budget)} is not known: {what}"
    return f"{_named(budget)} is spent (${spent.usd:.4f}): {what} until {_at(spent)}"


def _refusal(policy: Policy, budget: Budget, spent: Spent) -> Refusal:
    if not spent.known:
        message = f"What project {policy.project} has spent can't be told just now; try again."
        return Refusal(503, ErrorCode.BUDGET_UNKNOWN, message, UNKNOWN_AGAIN_S)
    message = (
        f"Project {policy.project} has spent {_named(budget)}; it begins anew at {_at(spent)}."
    )
    return Refusal(429, ErrorCode.BUDGET_SPENT, message, max(1, spent.resets_in_s))


def _named(budget: Budget) -> str:
    return f"its budget of ${budget.max_cost:,.2f} a {budget.period.lower()}"


def _at(spent: Spent) -> str:
    return f"{datetime.fromtimestamp(spent.resets_at, UTC):%Y-%m-%dT%H:%M:%SZ}"


def span_of(period: Period, now_s: float) -> tuple[int, int]:
    """Begin and end of the period that ``now_s`` is in; all in seconds since the epoch."""
    hour = datetime.fromtimestamp(now_s, UTC).replace(minute=0, second=0, microsecond=0)
    day = hour.replace(hour=0)
    if period is Period.HOUR:
        begin, end = hour, hour + timedelta(hours=1)
    elif period is Period.DAY:
        begin, end = day, day + timedelta(days=1)
    elif period is Period.WEEK:
        begin = day - timedelta(days=day.weekday())
        end = begin + timedelta(weeks=1)
    else:
        begin = day.replace(day=1)
        end = (begin + timedelta(days=32)).replace(day=1)
    return int(begin.timestamp()), int(end.timestamp())
