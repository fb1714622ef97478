"""Which model answers what: the share of each task's requests, by mode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from prism.ledger.sums import Only, Span, Sums, sums
from prism.routing.catalog import MODES, TASKS

_SHADES = 10
NOBODY = "nobody"
"""The row of requests that no model answered well."""


@dataclass(frozen=True, slots=True)
class Spot:
    """One model at one task: of so many requests it answered ``count``. ``shade`` is 0 to 10."""

    count: int
    requests: int

    @property
    def share(self) -> float | None:
        """The hit rate; ``None`` where nothing was asked."""
        return self.count / self.requests if self.requests else None

    @property
    def shade(self) -> int:
        """The share as a step of the scale; what is there at all is at least 1."""
        return 0 if not self.count else max(1, round(_SHADES * self.count / self.requests))


@dataclass(frozen=True, slots=True)
class Heat:
    """The map of one mode (``None``: all together). ``rows`` are models, most requests first, each
    with a spot for each task. ``held`` is the share of answers that the first choice gave."""

    mode: str | None
    requests: Sequence[int]
    rows: Sequence[tuple[str, Sequence[Spot]]]
    held: Sequence[float | None]


def heats(connection: Connection, span: Span, only: Only, *, apart: bool) -> list[Heat]:
    """A map for each mode that was used (``apart``), or one for all."""
    found = sums(connection, span, only, ("mode", "task", "answered_by"))
    modes = [m for m in MODES if any(key[0] == m for key in found)] if apart else [None]
    return [_heat(mode, found) for mode in modes]


def _heat(mode: str | None, found: Mapping[tuple[object, ...], Sums]) -> Heat:
    answers: dict[str, dict[str, int]] = {}
    totals: dict[str, Sums] = {task: Sums() for task in TASKS}
    for (of, task, model), one in found.items():
        if mode is not None and of != mode:
            continue
        totals[str(task)].add(one)
        for name, count in (
            (str(model), one.answered if model is not None else 0),
            (NOBODY, one.requests - (one.answered if model is not None else 0)),
        ):
            if count:
                row = answers.setdefault(name, {})
                row[str(task)] = row.get(str(task), 0) + count
    names = sorted(answers, key=lambda name: (name == NOBODY, -sum(answers[name].values()), name))
    rows = [
        (name, [Spot(answers[name].get(task, 0), totals[task].requests) for task in TASKS])
        for name in names
    ]
    held = [t.kept_first / t.answered if t.answered else None for t in totals.values()]
    return Heat(mode, [total.requests for total in totals.values()], rows, held)
