"""What was measured of a model, and where each number is from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from prism.routing.catalog import Price, Task


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a number is from: the source's name, its date, and what it calls the model."""

    source: str
    date: str = ""
    row: str = ""

    def __str__(self) -> str:
        said = f"{self.source}, {self.date}" if self.date else self.source
        return f"{said} (as {self.row})" if self.row else said


@dataclass(frozen=True, slots=True)
class Sample:
    """Graded answers of one model to one task: their count, mean (0 to 1) and the sum of
    squared differences from it. ``count`` of ``None``: a published mean, of how many
    answers is not said."""

    mean: float
    count: int | None = None
    squares: float = 0.0


@dataclass(frozen=True, slots=True)
class Listed:
    """A list price and where it is from."""

    price: Price
    origin: Origin


@dataclass(frozen=True, slots=True)
class Speed:
    """Seconds of a whole answer of so many tokens."""

    seconds: float
    tokens: float
    origin: Origin


@dataclass(frozen=True, slots=True)
class Measured:
    """One model. A task without a sample was not measured. ``cost`` is US dollars a request
    by task, where it was measured; ``spent`` what one request cost on average at a source
    that does not tell tasks apart."""

    model: str
    samples: Mapping[Task, Sample]
    quality_origin: Origin
    price: Listed | None = None
    speed: Speed | None = None
    cost: Mapping[Task, float] = field(default_factory=dict)
    spent: float | None = None
