"""One metric: its name in both worlds, its labels, and the numbers that are counted under them.

Only the event loop writes and copies, so there is no lock. What is shown and sent is a copy.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, TypeVar

MOST_SERIES = 1000
"""Sets of labels that one metric keeps apart; what comes after them is counted together."""
OTHER = "other"
Labels = tuple[str, ...]
Value = TypeVar("Value")


class Kind(StrEnum):
    """What the numbers of a metric mean."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class About:
    """A metric's description. ``name`` is OpenTelemetry's, ``unit`` in UCUM; ``prometheus`` is
    the name there, with unit and ``_total``. ``buckets`` are upper bounds, for histograms."""

    name: str
    prometheus: str
    kind: Kind
    unit: str
    labels: Labels
    help: str
    buckets: tuple[float, ...] = ()


class Exemplar(NamedTuple):
    """Where a measurement comes from: a sampled request's time (seconds since the epoch), and
    the ids of its trace and span in hex."""

    time: float
    trace_id: str
    span_id: str


@dataclass(slots=True)
class Buckets:
    """Measurements by size: a count for each bucket and one for what is larger."""

    counts: list[int]
    total: float = 0.0
    exemplars: dict[int, tuple[float, Exemplar]] = field(default_factory=dict)
    """By bucket: the measurement, and where it comes from."""

    def copy(self) -> Buckets:
        """The numbers as they are now."""
        return Buckets(list(self.counts), self.total, dict(self.exemplars))


@dataclass(frozen=True, slots=True)
class Family:
    """A metric as it was at one time: a number, or buckets, for each set of labels."""

    about: About
    points: list[tuple[Labels, float | Buckets]]


@dataclass(slots=True)
class Counter:
    """Numbers that only grow."""

    about: About
    values: dict[Labels, float] = field(default_factory=dict)

    def add(self, labels: Labels, amount: float = 1) -> None:
        """Count ``amount`` more."""
        values = self.values
        if labels in values:
            values[labels] += amount
        else:
            _bounded(values, labels, 0.0)
            values[_place(values, labels)] += amount

    def read(self) -> Family:
        """A copy."""
        return Family(self.about, list(self.values.items()))


@dataclass(slots=True)
class Histogram:
    """How often which size was measured; the newest exemplar of each bucket is kept."""

    about: About
    values: dict[Labels, Buckets] = field(default_factory=dict)

    def observe(self, labels: Labels, value: float, exemplar: Exemplar | None = None) -> None:
        """Count a measurement."""
        found = self.values.get(labels)
        if found is None:
            fresh = Buckets([0] * (len(self.about.buckets) + 1))
            _bounded(self.values, labels, fresh)
            found = self.values[_place(self.values, labels)]
        number = bisect_left(self.about.buckets, value)
        found.counts[number] += 1
        found.total += value
        if exemplar is not None:
            found.exemplars[number] = value, exemplar

    def read(self) -> Family:
        """A copy."""
        return Family(self.about, [(labels, b.copy()) for labels, b in self.values.items()])


def _bounded(values: dict[Labels, Value], labels: Labels, fresh: Value) -> None:
    """Make room for new labels, or for the one series that takes all further ones."""
    place = labels if len(values) < MOST_SERIES else (OTHER,) * len(labels)
    values.setdefault(place, fresh)


def _place(values: dict[Labels, Value], labels: Labels) -> Labels:
    return labels if labels in values else (OTHER,) * len(labels)
