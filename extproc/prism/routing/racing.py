"""Speculative racing: may a request race, who against whom, and how far ahead the first is.

A race is decided on response headers, and its losers are paid for. So there are bounds: a
share of requests, chosen by the decision's id, and US dollars an hour, which the caller
keeps count of.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from prism.routing.catalog import Latency, Mode, Model, Racing, Table, Wait
from prism.routing.cost import cost_usd
from prism.routing.plan import Scope

P95_OVER_TYPICAL = 2.0
"""How many times the typical time to headers the 95th percentile is, until it is measured.
A rule of thumb: for a lognormal time with sigma 0.5, as busy providers have, it is 2.3."""
_SHARES = 1 << 32


def unmeasured(_: str) -> float | None:
    """The p95 of models of which nothing was measured."""
    return None


@dataclass(frozen=True, slots=True)
class Races:
    """What is known of races just now.

    ``closed`` names the tables whose extra cost of this hour is used up. ``p95_ms`` gives a
    model's measured 95th percentile of milliseconds to headers, ``None`` while it has none.
    """

    closed: frozenset[str] = frozenset()
    p95_ms: Callable[[str], float | None] = unmeasured


@dataclass(frozen=True, slots=True)
class Race:
    """A race as it was sent out: models in the order of their start, the first ``wait_ms``
    ahead of the second, and so on. Tokens are estimates, per attempt."""

    table: Table
    models: tuple[Model, ...]
    wait_ms: int
    input_tokens: int
    output_tokens: int
    stream: bool

    def most_usd(self) -> float:
        """US dollars that this race may cost beyond the first model's answer: every other
        attempt, paid in full."""
        tokens = self.input_tokens, self.output_tokens
        return sum(cost_usd(model.price, *tokens) for model in self.models[1:])


def allowed(table: Table, races: Races, decision_id: str) -> bool:
    """Whether share and cost leave room for a race of the request with this decision id.

    The id's last 16 digits are random; the 8 before the last 8 choose, since the last 8
    choose the provider's key.
    """
    racing = table.racing
    if not racing.modes or table.name in races.closed:
        return False
    return racing.max_share >= 1 or int(decision_id[-16:-8], 16) < racing.max_share * _SHARES


def wait_ms(racing: Racing, latency: Latency, p95_ms: float | None) -> int:
    """How many milliseconds the first model is ahead; ``p95_ms`` is its measured one."""
    if racing.wait is Wait.FIXED:
        return racing.wait_ms
    if p95_ms is None:
        p95_ms = latency.time_to_first_token_ms * P95_OVER_TYPICAL
    return max(racing.wait_ms, round(p95_ms))


def barred(
    scope: Scope,
    mode: Mode,
    models: Sequence[Model],
    failing: frozenset[str],
    *,
    acts_at_provider: bool,
    room: bool,
) -> str | None:
    """Why the first two don't race; ``""`` where nobody asked them to, ``None`` where they do."""
    if mode not in scope.table.racing.modes or len(models) < 2:
        return ""
    if scope.policy is not None and not scope.policy.allow_racing:
        return f"policy {scope.policy.name} denies racing"
    first, second = models[0], models[1]
    if first.provider == second.provider:
        return f"{first.name} and {second.name} have one provider"
    if second.name in failing:
        return f"{second.name} is failing now"
    if acts_at_provider:
        return "the request does something at the provider's side, which must not happen twice"
    return None if room else "the share or the hourly cost of races is used up"
