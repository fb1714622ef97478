"""A decision of this process's memory as a line of the list: where there is no ledger."""

from __future__ import annotations

from prism.ledger.entry import Ended, decision_row
from prism.ledger.listing import LINE_COLUMNS, Line
from prism.routing.record import Record


def line_of(record: Record) -> Line:
    """The line that the ledger would give; its cost is not kept in memory."""
    outcome = record.outcome
    ended = None if outcome is None else Ended(record.decision_id, outcome, None)
    row = decision_row(record, ended)
    return Line(*(row[name] for name in LINE_COLUMNS))
