"""Which models are failing now, learned from what became of attempts.

A model that fails rests: it goes last. After its rest it is half open: one request in some may
try it in its own place. An answer makes it well, another failure has it rest twice as long.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace

from prism.routing.decide import Health
from prism.serve.crossing import crossed
from prism.serve.rest import REST_S, longer

FAILURES = 3
"""Failed attempts in a row after which a model rests."""
WINDOW_S = 30.0
"""Seconds of the past that the error rate looks at."""
WINDOW = 50
"""The newest outcomes that it looks at, at most; so a model's memory is bounded."""
FEWEST = 10
"""Outcomes without which an error rate says nothing."""
ERROR_RATE = 0.5
"""Share of failed attempts from which on a model rests."""
LONGEST_RETRY_AFTER_S = 300.0
"""The longest that a provider's Retry-After is believed of a model."""
PROBE_ONE_IN = 10
"""One request in so many tries half-open models in their own place."""
PROBE_EVERY_S = 1.0
"""Seconds between two such requests at least: each may wait for a provider that hangs."""


@dataclass(slots=True)
class _Model:
    """What is remembered of a model that has failed; a model without one is well."""

    row: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))
    """When the failures since the last answer were, by Envoy's clock."""
    newest: deque[tuple[float, bool]] = field(default_factory=lambda: deque(maxlen=WINDOW))
    resting: bool = False
    """Until an answer comes; from ``until`` on it is half open."""
    until: float = 0.0
    rest_s: float = 0.0
    healed: float = -math.inf

    def count(self, now: float, failed: bool) -> None:
        self.newest.append((now, failed))
        while self.newest[0][0] < now - WINDOW_S:
            self.newest.popleft()

    def answered(self, at: float) -> None:
        """Only failures that were after the answer are still in a row."""
        newer = [failure for failure in self.row if crossed(at, failure)]
        self.row.clear()
        self.row.extend(newer)

    def fails_too_often(self) -> bool:
        failed = sum(failed for _, failed in self.newest)
        often = len(self.newest) >= FEWEST and failed >= ERROR_RATE * len(self.newest)
        return len(self.row) >= FAILURES or often

    def rest(self, now: float) -> None:
        """One that has been well for as long as it last rested starts over."""
        again = self.resting or now - self.healed < self.rest_s
        self.rest_s = longer(self.rest_s) if again else REST_S
        self.resting, self.until = True, now + self.rest_s


class HealthTracker:
    """Learns which models fail. ``clock`` gives monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._models: dict[str, _Model] = {}
        self._answered: dict[str, float] = {}
        """When each model's last answer was, by Envoy's clock."""
        self._health = self._probe = Health()
        self._wake = self._ends = math.inf
        self._asked = 0
        self._next_probe = 0.0

    def now(self) -> Health:
        """The health to decide a request with; the same objects until something changes."""
        now = self._clock()
        return self._health if now < self._wake else self._look(now)

    def _look(self, now: float) -> Health:
        """Something is half open, or has become so."""
        if now >= self._ends:
            self._renew(now)
        if self._probe is self._health:
            return self._health
        self._asked += 1
        if self._asked < PROBE_ONE_IN or now < self._next_probe:
            return self._health
        self._asked, self._next_probe = 0, now + PROBE_EVERY_S
        return self._probe

    def failed(self, model: str, retry_after_s: float | None = None, at: float = 0.0) -> None:
        """An attempt at ``model`` failed; its provider may have said for how long it will.

        ``at`` is when that was, in seconds since the epoch by Envoy's clock, as in ``succeeded``.
        """
        now = self._clock()
        known = self._models.setdefault(model, _Model())
        half_open = known.resting and known.until <= now
        known.count(now, failed=True)
        answered_since = crossed(at, self._answered.get(model, at))
        if not answered_since:
            known.row.append(at)
        if half_open or (not known.resting and known.fails_too_often()):
            known.rest(now)
        if retry_after_s is not None and not answered_since:
            known.resting = True
            known.until = max(known.until, now + min(retry_after_s, LONGEST_RETRY_AFTER_S))
        if known.resting:
            self._renew(now)

    def succeeded(self, model: str, at: float = 0.0) -> None:
        """``model`` answered."""
        if not crossed(at, self._answered.get(model, at)):
            self._answered[model] = at
        known = self._models.get(model)
        if known is None:
            return
        now = self._clock()
        known.answered(at)
        if known.resting and known.row:
            return  # it has failed since
        if known.resting:
            known.resting, known.healed = False, now
            known.newest.clear()
            self._renew(now)
            return
        known.count(now, failed=False)
        if now - known.healed >= known.rest_s and not any(failed for _, failed in known.newest):
            del self._models[model]

    def measured(self, first_token_ms: Mapping[str, float]) -> None:
        """Decide with these times to the first token from now on."""
        if first_token_ms is self._health.first_token_ms:
            return
        self._health = replace(self._health, first_token_ms=first_token_ms)
        self._renew(self._clock())

    def keep(self, models: Collection[str]) -> None:
        """Forget every other model: no table names it any more."""
        self._models = {name: known for name, known in self._models.items() if name in models}
        self._answered = {name: at for name, at in self._answered.items() if name in models}
        self._renew(self._clock())

    def failing(self) -> frozenset[str]:
        """The models that go last just now, half-open ones among them."""
        return self._health.failing

    def failures(self) -> dict[str, int]:
        """Failed attempts in a row, of the models that have any."""
        return {name: len(known.row) for name, known in self._models.items() if known.row}

    def rests(self) -> dict[str, float]:
        """Seconds that failing models still rest; 0: half open."""
        now = self._clock()
        resting = {name: known for name, known in self._models.items() if known.resting}
        return {name: max(0.0, known.until - now) for name, known in resting.items()}

    def _renew(self, now: float) -> None:
        resting = {name: known.until for name, known in self._models.items() if known.resting}
        half_open = frozenset(name for name, until in resting.items() if until <= now)
        probed = self._health.failing - self._probe.failing
        if resting.keys() != self._health.failing:
            self._health = replace(self._health, failing=frozenset(resting))
        self._ends = min((until for until in resting.values() if until > now), default=math.inf)
        if not half_open:
            self._probe, self._wake = self._health, self._ends
            return
        self._wake = -math.inf
        if not half_open <= probed:
            self._asked = PROBE_ONE_IN  # the first request after a rest is a probe
        self._probe = replace(
            self._health, failing=self._health.failing - half_open, probed=half_open
        )
