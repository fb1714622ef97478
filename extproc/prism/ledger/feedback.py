"""Keeps what was said of a decision."""

from __future__ import annotations

from sqlalchemy import Connection

from prism.ledger.entry import plain
from prism.ledger.insert import insert
from prism.ledger.tables import feedback
from prism.routing.feedback import Feedback


def keep_feedback(connection: Connection, said: Feedback, time_s: float) -> None:
    """The same decision and id again replaces what was said before: the last word counts."""
    values = {
        "time_ms": round(time_s * 1000),
        "score": said.score,
        # PostgreSQL has no NUL in texts.
        "comment": None if said.comment is None else plain(said.comment).replace("\0", "\ufffd"),
        "labels": dict(said.labels or {}),
    }
    statement = insert(connection, feedback).values(
        decision_id=said.decision_id, feedback_id=said.feedback_id, **values
    )
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["decision_id", "feedback_id"],
            set_={name: statement.excluded[name] for name in values},
        )
    )
