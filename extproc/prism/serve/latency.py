"""How long models take until their answer begins, as measured; the table's figure is the prior."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

HALF_LIFE_S = 300.0
"""Seconds after which a measurement counts half."""
_RATIO = math.log(1.1)
_BUCKETS = 150
"""Each 10 % wider than the one before, from 1 ms to more than 20 minutes."""
_PRIOR = tuple(math.exp(math.log(2) * z / 1.645) for z in (-1.645, -1.036, -0.674, -0.385, -0.126))
PRIOR = (*_PRIOR, *(1 / factor for factor in reversed(_PRIOR)))
"""The prior as ten measurements around the table's figure: log-normal, its 95th percentile
twice its median, as is common for language models."""
RENEW_S = 1.0
"""Seconds for which a quantile once worked out is good enough."""
_NOTICED = 1.1
"""A median counts as changed when it moved by this factor: decisions keep what they are given."""


class Sketch:
    """Quantiles of milliseconds, to within 5 %. Old measurements fade; memory is fixed."""

    def __init__(self) -> None:
        self._counts = [0.0] * _BUCKETS
        self._weight = 1.0
        self._since = 0.0
        self._faded = -math.inf

    def add(self, ms: float, now: float) -> None:
        """Count a measurement made at ``now`` (seconds)."""
        self._fade(now)
        self._counts[_bucket(ms)] += self._weight

    def quantile(self, share: float, prior_ms: float, now: float) -> float:
        """Milliseconds within which ``share`` (0 to 1) of the answers begin."""
        self._fade(now)
        counts = [count / self._weight for count in self._counts]
        for factor in PRIOR:
            counts[_bucket(prior_ms * factor)] += 1
        left = share * sum(counts)
        for number, count in enumerate(counts):
            left -= count
            if left <= 1e-9:
                return math.exp((number + 0.5) * _RATIO)
        raise AssertionError("the shares of all buckets are one")

    def _fade(self, now: float) -> None:
        """Newer measurements weigh more, which is the same as older ones fading."""
        if now < self._faded + RENEW_S:
            return
        if self._faded == -math.inf:
            self._since = now
        self._faded = now
        self._weight = 2 ** ((now - self._since) / HALF_LIFE_S)
        if self._weight > 1e6:
            self._counts = [count / self._weight for count in self._counts]
            self._since, self._weight = now, 1.0


@dataclass(slots=True)
class _Model:
    plain: Sketch = field(default_factory=Sketch)
    streamed: Sketch = field(default_factory=Sketch)


class Latencies:
    """Times to headers per model. ``clock`` gives monotonic seconds.

    Streamed and plain answers are kept apart: a plain one begins only when it is whole.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._models: dict[str, _Model] = {}
        self._known: dict[tuple[str, bool], tuple[float, float, float]] = {}
        self._medians: dict[str, float] = {}
        self._renew_at = -math.inf

    def observe(self, model: str, ms: float, *, streamed: bool) -> None:
        """An answer of ``model`` began after ``ms``, or was given up then: it counts as
        having taken so long, since else only quick ones would."""
        known = self._models.get(model)
        if known is None:
            known = self._models[model] = _Model()
        (known.streamed if streamed else known.plain).add(ms, self._clock())

    def p95_ms(self, model: str, prior_ms: float, *, streamed: bool) -> float:
        """Milliseconds within which 95 of 100 answers begin; ``prior_ms`` is the expectation
        before anything was measured, their median."""
        known = self._models.get(model)
        if known is None:
            return prior_ms * PRIOR[-1]
        now = self._clock()
        cached = self._known.get((model, streamed))
        if cached is not None and cached[0] > now and cached[1] == prior_ms:
            return cached[2]
        sketch = known.streamed if streamed else known.plain
        found = sketch.quantile(0.95, prior_ms, now)
        self._known[model, streamed] = (now + RENEW_S, prior_ms, found)
        return found

    def medians(self, priors: dict[str, float]) -> dict[str, float]:
        """Milliseconds to the first token, by model, of the models among ``priors`` that were
        measured; the same object until one of them has moved by a tenth. Worked out once in
        ``RENEW_S`` at most: a busy server asks hundreds of times a second."""
        now = self._clock()
        if now < self._renew_at:
            return self._medians
        self._renew_at = now + RENEW_S
        found = {
            name: known.streamed.quantile(0.5, priors[name], now)
            for name, known in self._models.items()
            if name in priors
        }
        before = self._medians
        if found.keys() != before.keys() or any(_moved(found[n], before[n]) for n in found):
            self._medians = found
        return self._medians

    def shown(self) -> dict[str, float]:
        """The medians as decisions have them, for people."""
        return {name: round(ms, 1) for name, ms in sorted(self._medians.items())}

    def keep(self, models: Collection[str]) -> None:
        """Forget every other model: no table names it any more."""
        self._models = {name: known for name, known in self._models.items() if name in models}
        self._known = {key: known for key, known in self._known.items() if key[0] in models}


def _bucket(ms: float) -> int:
    return 0 if ms <= 1 else min(int(math.log(ms) / _RATIO), _BUCKETS - 1)


def _moved(one: float, other: float) -> bool:
    return max(one, other) > _NOTICED * min(one, other)
