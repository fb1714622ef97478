"""Sums of what was read: bounded by tasks and models, never by lines; two tallies add up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from prism.routing.catalog import Mode, Task

MOST_REASONS = 100
"""Different reasons of bad lines that are counted apart."""
MOST_MODELS = 500
"""Different models of a log that are counted apart; a log with more names no models there."""
OTHERS = "(others)"


@dataclass(slots=True)
class Asked:
    """What was sent to one model for one task: requests, tokens, US dollars at list price."""

    requests: float = 0.0
    input: float = 0.0
    output: float = 0.0
    cached: float = 0.0
    written: float = 0.0
    usd: float = 0.0

    def add(self, other: Asked) -> None:
        """Add another sum."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass(slots=True)
class Moved:
    """What one mode makes of some requests. ``usd`` has what was cached in full price where
    the model is another one, ``warm_usd`` has it in the cache there as well."""

    requests: float = 0.0
    usd: float = 0.0
    warm_usd: float = 0.0

    def add(self, other: Moved) -> None:
        """Add another sum."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass(slots=True)
class Tally:
    """All that is known of a workload. Requests are fractions where a mix of tasks was assumed.

    ``moved`` is by task, model that was asked, mode and model that would be. ``kept`` counts,
    by mode, requests that no model of the table could take: they are charged as they were.
    ``own_usd`` sums the log's own costs, ``own_priced_usd`` our prices of the same requests.
    ``classify_s`` are processor seconds of reading what is asked, for ``classified`` requests.
    """

    lines: int = 0
    bad: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    unpriced: Counter[str] = field(default_factory=Counter)
    asked: dict[tuple[Task, str], Asked] = field(default_factory=dict)
    moved: dict[tuple[Task, str, Mode, str], Moved] = field(default_factory=dict)
    kept: Counter[Mode] = field(default_factory=Counter)
    estimated: int = 0
    unread: int = 0
    own_requests: int = 0
    own_usd: float = 0.0
    own_priced_usd: float = 0.0
    classified: int = 0
    classify_s: float = 0.0

    def add(self, other: Tally) -> None:
        """Add another tally."""
        for reason, number in other.bad.items():
            self.bad[reason if reason in self.bad or len(self.bad) < MOST_REASONS else OTHERS] += (
                number
            )
        self.left_out += other.left_out
        for model, number in other.unpriced.items():
            self.unpriced[self._name(model, self.unpriced)] += number
        self.kept += other.kept
        known = {model for _, model in self.asked}
        for (task, model), asked in other.asked.items():
            if model not in known and len(known) >= MOST_MODELS:
                model = OTHERS
            known.add(model)
            self.asked.setdefault((task, model), Asked()).add(asked)
        for (task, model, mode, to), moved in other.moved.items():
            place = task, model if model in known else OTHERS, mode, to
            self.moved.setdefault(place, Moved()).add(moved)
        for name in _NUMBERS:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @staticmethod
    def _name(model: str, known: Mapping[str, int]) -> str:
        return model if model in known or len(known) < MOST_MODELS else OTHERS

    @property
    def requests(self) -> float:
        """Requests that were priced."""
        return sum(asked.requests for asked in self.asked.values())

    @property
    def usd(self) -> float:
        """What they cost, in US dollars at list price."""
        return sum(asked.usd for asked in self.asked.values())


_NUMBERS = (
    *("lines", "estimated", "unread", "own_requests", "own_usd", "own_priced_usd"),
    *("classified", "classify_s"),
)
