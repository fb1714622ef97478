"""The newest decisions with their outcomes, in memory and bounded."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict

from prism.routing.record import Outcome, Record


class Recent:
    """Keeps the newest ``size`` records by decision id."""

    def __init__(self, size: int = 10_000) -> None:
        self._size = size
        self._records: OrderedDict[str, Record] = OrderedDict()
        self.joined = 0
        """Outcomes that met their decision."""
        self.lost = 0
        """Outcomes whose decision was no longer (or never) here."""

    def add(self, record: Record) -> None:
        """Keep a decision."""
        self._records[record.decision_id] = record
        if len(self._records) > self._size:
            self._records.popitem(last=False)

    def join(self, decision_id: str, outcome: Outcome) -> None:
        """Put the outcome to its decision."""
        record = self._records.get(decision_id)
        if record is None:
            self.lost += 1
            return
        self.joined += 1
        self._records[decision_id] = dataclasses.replace(record, outcome=outcome)

    def get(self, decision_id: str) -> Record | None:
        """The record of a decision."""
        return self._records.get(decision_id)

    def newest(self, limit: int) -> list[Record]:
        """The newest first."""
        found = list(self._records.values())
        return found[: -limit - 1 : -1]
