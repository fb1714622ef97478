"""Which models are failing now, learned from what became of attempts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from prism.routing.decide import Health

FAILURES = 3
"""Failed attempts in a row after which a model goes last."""
REST_S = 10.0
"""Seconds for which it does; then it has its place again."""


@dataclass(slots=True)
class _Model:
    failures: int = 0
    until: float = 0.0


class HealthTracker:
    """Counts failures in a row per model. ``clock`` gives monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._models: dict[str, _Model] = {}
        self._health = Health()
        self._until = float("inf")

    def now(self) -> Health:
        """The health to decide with; the same object until something changes."""
        if self._clock() >= self._until:
            self._renew()
        return self._health

    def failed(self, model: str) -> None:
        """An attempt at ``model`` failed."""
        known = self._models.setdefault(model, _Model())
        known.failures += 1
        if known.failures >= FAILURES:
            known.until = self._clock() + REST_S
            self._renew()

    def succeeded(self, model: str) -> None:
        """``model`` answered."""
        if self._models.pop(model, None) is not None:
            self._renew()

    def failures(self) -> dict[str, int]:
        """Failed attempts in a row, of the models that have any."""
        return {name: model.failures for name, model in self._models.items()}

    def _renew(self) -> None:
        now = self._clock()
        failing = {name: model for name, model in self._models.items() if model.until > now}
        self._until = min((model.until for model in failing.values()), default=float("inf"))
        self._health = Health(frozenset(failing))
