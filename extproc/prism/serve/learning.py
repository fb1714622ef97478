"""What a server has learned of models and keys, and what it shows of that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from prism.exchange.targets import Target
from prism.serve.health import HealthTracker
from prism.serve.keys import KeyTracker
from prism.serve.latency import Latencies


@dataclass(frozen=True, slots=True)
class Learning:
    """Health and latency per model, and which keys rest."""

    health: HealthTracker
    latencies: Latencies
    keys: KeyTracker

    @classmethod
    def beginning(cls, clock: Callable[[], float]) -> Learning:
        """Nothing is known yet. ``clock`` gives monotonic seconds."""
        return cls(HealthTracker(clock), Latencies(clock), KeyTracker(clock))

    def status(self, clusters: Mapping[str, Target]) -> dict[str, Any]:
        """What ``/status`` shows."""
        return {
            "failingModels": sorted(self.health.failing()),
            "restSecondsLeft": {n: round(s, 1) for n, s in sorted(self.health.rests().items())},
            "failuresInARow": self.health.failures(),
            "firstTokenMs": self.latencies.shown(),
            "restingKeys": self.keys.shown(clusters),
        }
