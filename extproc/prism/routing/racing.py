"""Speculative racing: may a request race, who against whom, and how far ahead the first is.

A race is decided on response headers, and its losers are paid for. So there are bounds: a
share of requests, chosen by the decision's id, and US dollars an hour, which the caller
keeps count of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from prism.routing.bounds import Racing, Wait
from prism.routing.catalog import Latency, Mode, Model, Table
from prism.routing.cost import cost_usd, latency_ms
from prism.routing.plan import Scope

P95_OVER_TYPICAL = 2.0
"""How many times the typical time to headers the 95th percentile is, until it is measured.
A rule of thumb: for a lognormal time with sigma 0.5, as busy providers have, it is 2.3."""
_SHARES = 1 << 32
M = TypeVar("M")


class P95(Protocol):
    """Milliseconds within which 95 of 100 of a model's answers begin. ``prior_ms`` is the
    median that is expected of it; a plain answer begins when it is whole."""

    def __call__(self, model: str, prior_ms: float, *, streamed: bool) -> float: ...


def unmeasured(model: str, prior_ms: float, *, streamed: bool) -> float:
    """The p95 of models of which nothing was measured."""
    return prior_ms * P95_OVER_TYPICAL


@dataclass(frozen=True, slots=True)
class Races:
    """What is known of races just now.

    ``spent_usd`` is what losers cost in the last hour, by table, races under way in full.
    ``p95_ms`` knows what was measured of models.
    """

    spent_usd: Mapping[str, float] = field(default_factory=dict)
    p95_ms: P95 = unmeasured


@dataclass(frozen=True, slots=True)
class Waste:
    """What the losers of a race cost, as estimated."""

    input_tokens: int
    output_tokens: int
    usd: float


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

    def waste(self, winner: str | None, attempts: int, headers_ms: float | None) -> Waste:
        """What its losers cost, after ``attempts`` were started and headers came after
        ``headers_ms``; without a ``winner`` among them, all but the first.

        An estimate: providers do not say what a cancelled request cost. A loser has read the
        whole prompt. One that was to answer in one piece has written for as long as it ran;
        one that was to stream has written nothing, or its headers would have come first.
        """
        tried = self.models[:attempts]
        kept = winner if winner in [model.name for model in tried] else self.models[0].name
        read = written = 0
        usd = 0.0
        for number, model in enumerate(tried):
            if model.name == kept:
                continue
            ran_ms = 0.0 if headers_ms is None else headers_ms - number * self.wait_ms
            tokens = 0 if self.stream else _written(model.latency, ran_ms, self.output_tokens)
            read += self.input_tokens
            written += tokens
            usd += cost_usd(model.price, self.input_tokens, tokens)
        return Waste(read, written, usd)


def _written(latency: Latency, ran_ms: float, most: int) -> int:
    seconds = (ran_ms - latency.time_to_first_token_ms) / 1000
    return max(0, min(most, int(seconds * latency.tokens_per_second)))


def allowed(table: Table, races: Races, decision_id: str) -> bool:
    """Whether share and cost leave room for a race of the request with this decision id.

    The id's last 16 digits are random; the 8 before the last 8 choose, since the last 8
    choose the provider's key.
    """
    racing = table.racing
    if not racing.modes:
        return False
    most = racing.max_cost_per_hour
    if most is not None and races.spent_usd.get(table.name, 0.0) >= most:
        return False
    return racing.max_share >= 1 or int(decision_id[-16:-8], 16) < racing.max_share * _SHARES


def wait_ms(racing: Racing, first: Model, races: Races, output_tokens: int, stream: bool) -> int:
    """How many milliseconds the first model is ahead."""
    if racing.wait is Wait.FIXED:
        return racing.wait_ms
    prior = latency_ms(first.latency, 0 if stream else output_tokens)
    return max(racing.wait_ms, round(races.p95_ms(first.name, prior, streamed=stream)))


def racers(racing: Racing, models: Sequence[M]) -> Sequence[M]:
    """Those of a decision's models that may start before another has failed. Envoy starts one
    more each time the wait is over, so without a wait only two can be let off."""
    return models if racing.wait is Wait.P95 or racing.wait_ms else models[:2]


def barred(
    scope: Scope,
    mode: Mode,
    models: Sequence[Model],
    failing: frozenset[str],
    *,
    acts_at_provider: bool,
    counts: bool,
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
    if counts:
        return "tokens are only counted, which is over at once"
    return None if room else "the share or the hourly cost of races is used up"
