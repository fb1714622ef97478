"""The newest decisions with their outcomes, in memory and bounded."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from typing import Protocol

from prism.prompt.kept import Prompt
from prism.routing.record import Outcome, Record


class Keeper(Protocol):
    """Who keeps decisions for longer. Neither call may block."""

    def decided(self, record: Record) -> None:
        """A decision was made."""

    def prompted(self, prompt: Prompt) -> None:
        """Its project keeps its prompt."""

    def ended(self, decision_id: str, outcome: Outcome, cost_usd: float | None) -> None:
        """Its request is over."""


class Recent:
    """Keeps the newest ``size`` records by decision id, and hands all on to ``keeper``.

    Outcomes are put to their records only when somebody looks: a request must not pay for
    what may never be read.
    """

    def __init__(self, size: int = 10_000, keeper: Keeper | None = None) -> None:
        self._size = size
        self._keeper = keeper
        self._records: OrderedDict[str, Record] = OrderedDict()
        self._outcomes: dict[str, Outcome] = {}
        self._notes: dict[str, str] = {}
        self.joined = 0
        """Outcomes that met their decision."""
        self.lost = 0
        """Outcomes whose decision was no longer (or never) here."""

    def add(self, record: Record, *, for_good: bool = True, prompt: Prompt | None = None) -> None:
        """Keep a decision; ``for_good`` hands it on, and its ``prompt``, which is not kept here."""
        if for_good and self._keeper is not None:
            self._keeper.decided(record)
            if prompt is not None:
                self._keeper.prompted(prompt)
        self._records[record.decision_id] = record
        if len(self._records) > self._size:
            oldest, _ = self._records.popitem(last=False)
            self._outcomes.pop(oldest, None)
            self._notes.pop(oldest, None)

    def note(self, decision_id: str, text: str) -> None:
        """Say why Prism ended the attempts of a decision."""
        if decision_id in self._records:
            self._notes[decision_id] = text

    def join(self, decision_id: str, outcome: Outcome, cost_usd: float | None = None) -> None:
        """Put the outcome to its decision."""
        if (note := self._notes.pop(decision_id, None)) is not None:
            outcome = dataclasses.replace(outcome, note=note)
        if self._keeper is not None:
            self._keeper.ended(decision_id, outcome, cost_usd)
        if decision_id not in self._records:
            self.lost += 1
            return
        self.joined += 1
        self._outcomes[decision_id] = outcome

    def get(self, decision_id: str) -> Record | None:
        """The record of a decision."""
        record = self._records.get(decision_id)
        return None if record is None else self._with_outcome(record)

    def decided(self, decision_id: str) -> Record | None:
        """The record as it was when the decision was made, without what came of it."""
        return self._records.get(decision_id)

    def newest(self, limit: int) -> list[Record]:
        """The newest first."""
        found = list(self._records.values())
        return [self._with_outcome(record) for record in found[: -limit - 1 : -1]]

    def _with_outcome(self, record: Record) -> Record:
        outcome = self._outcomes.get(record.decision_id)
        return record if outcome is None else dataclasses.replace(record, outcome=outcome)
