"""Failed attempts, kept until the end of their request, which another of Envoy's logs tells of.

The two logs come in batches of their own, so news of a request's end may overtake news of a
failure before it: such a request is told of a little later, and only such a one.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable

from prism.envoy.logs import FLUSH_S
from prism.exchange.targets import Target, is_failure
from prism.routing.attempt import Attempt, Result, attempts_of
from prism.routing.record import Record
from prism.wire.attempts_log import FailedAttempt
from prism.wire.gateway_log import Finished

MOST = 10_000
"""Requests under way whose failed attempts are kept."""
WAIT_S = 2 * FLUSH_S + 0.1
"""Seconds after which every failure has been told of that was before a request's end."""
_Failed = tuple[FailedAttempt, Target]


class Tries:
    """What failed, by request; and requests that are over and wait for what may be missing."""

    def __init__(self) -> None:
        self._failed: OrderedDict[str, list[_Failed]] = OrderedDict()
        self._late: dict[asyncio.TimerHandle, Callable[[], None]] = {}

    def failed(self, attempt: FailedAttempt, target: Target) -> None:
        """Keep it for the end of its request."""
        name = _base(attempt.request_id)
        if not name:
            return
        self._failed.setdefault(name, []).append((attempt, target))
        if len(self._failed) > MOST:
            self._failed.popitem(last=False)

    def complete(self, entry: Finished) -> bool:
        """Whether all that can have failed before this end is known."""
        started = entry.outcome.attempts or 0
        failures = started - 1 if answered(entry) else started
        known = sum(len(self._failed.get(name, ())) for name in _names(entry))
        return known >= failures

    def take(self, entry: Finished, record: Record) -> tuple[Attempt, ...]:
        """Every attempt of a request that is over; none where the first one was all."""
        found = [one for name in _names(entry) for one in self._failed.pop(name, ())]
        outcome, raced = entry.outcome, record.decision.race
        if not found and (outcome.attempts or 0) <= 1:
            return ()
        came = entry.at - (outcome.total_ms or 0.0) / 1000
        failed = sorted((_attempt(*one, came) for one in found), key=_began)
        last = _last(entry) if answered(entry) else None
        return attempts_of(record.decision.models, raced, outcome.attempts or 0, failed, last)

    def later(self, tell: Callable[[], None]) -> None:
        """Call it once nothing can be missing any more."""

        def now() -> None:
            del self._late[timer]
            tell()

        timer = asyncio.get_running_loop().call_later(WAIT_S, now)
        self._late[timer] = tell

    def flush(self) -> None:
        """Wait no longer: a log has ended."""
        late, self._late = self._late, {}
        for timer, tell in late.items():
            timer.cancel()
            tell()


def _names(entry: Finished) -> set[str]:
    """Where a provider has several keys, an attempt is called after its decision (decision 16)."""
    return {_base(entry.request_id), entry.decision_id or ""}


def _base(request_id: str) -> str:
    return request_id.partition(".")[0]


def answered(entry: Finished) -> bool:
    """Whether the last attempt is none of those that failed."""
    outcome = entry.outcome
    return outcome.model is not None and not is_failure(outcome.status or 0) and entry.whole


def _attempt(failed: FailedAttempt, target: Target, came: float) -> Attempt:
    began_ms = (failed.at - came) * 1000 - failed.took_ms
    return Attempt(
        model=target.model,
        provider=target.provider,
        result=Result.FAILED,
        status=failed.status,
        reason=failed.reason,
        began_ms=round(max(0.0, began_ms), 3),
        took_ms=round(failed.took_ms, 3),
    )


def _last(entry: Finished) -> Attempt:
    outcome, headers_ms = entry.outcome, entry.to_headers_ms
    began_ms = took_ms = None
    if headers_ms is not None and outcome.first_byte_ms is not None:
        began_ms = round(max(0.0, outcome.first_byte_ms - headers_ms), 3)
        took_ms = round((outcome.total_ms or 0.0) - began_ms, 3)
    return Attempt(
        model=outcome.model or "",
        provider=outcome.provider or "",
        result=Result.ANSWERED,
        status=outcome.status,
        began_ms=began_ms,
        took_ms=took_ms,
    )


def _began(one: Attempt) -> float:
    return one.began_ms or 0.0
