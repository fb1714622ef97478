"""A table without numbers and small measurements, for tests of calibration."""

from __future__ import annotations

from typing import Any

from prism.calibrate.choose import Point
from prism.calibrate.measured import Listed, Measured, Origin, Sample
from prism.calibrate.quality import Quality
from prism.routing.catalog import TASKS, Price

ORIGIN = Origin("a test", "2026-11-27")


def base(*models: str, **spec: Any) -> dict[str, Any]:
    """A table with one provider a model, named as it is."""
    return {
        "apiVersion": "routing.prism.dev/v1alpha1",
        "kind": "RoutingTable",
        "metadata": {"name": "default"},
        "spec": {
            "providers": [{"name": f"p-{m}", "baseURL": f"https://{m}.test/v1"} for m in models],
            "models": [
                {
                    "name": model,
                    "provider": f"p-{model}",
                    "contextLength": 8000,
                    "latency": {"timeToFirstTokenMs": 100, "tokensPerSecond": 50},
                }
                for model in models
            ],
            **spec,
        },
    }


def published(model: str, *means: float, price: float | None = 1.0) -> Measured:
    """Published means, the same at every task where there is one only."""
    listed = None if price is None else Listed(Price(price, price, price, price), ORIGIN)
    values = means * len(TASKS) if len(means) == 1 else means
    samples = {task: Sample(mean) for task, mean in zip(TASKS, values, strict=True)}
    return Measured(model, samples, ORIGIN, listed)


def point(
    model: str,
    quality: float,
    cost: float,
    seconds: float = 1.0,
    provider: str = "",
    count: int | None = None,
) -> Point:
    return Point(model, provider or model, Quality(quality, quality, count), cost, seconds)
