"""What is read of a ledger: decisions, whose they are, and answers that were graded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from prism.ledger.entry import Entry, entry_of
from prism.ledger.sums import Only
from prism.ledger.tables import decisions, feedback
from prism.routing.catalog import Task
from prism.routing.feedback import Feedback, Subject


@dataclass(frozen=True, slots=True)
class Graded:
    """An answer that somebody graded: ``score`` is the mean of all feedback on it, 0 to 1."""

    decision_id: str
    task: Task
    model: str
    score: float
    cost_usd: float | None
    total_ms: float | None


def find(connection: Connection, decision_id: str) -> Entry | None:
    """A decision with all that is known of it."""
    query = select(decisions).where(decisions.c.decision_id == decision_id)
    row = connection.execute(query).first()
    if row is None:
        return None
    query = select(feedback).where(feedback.c.decision_id == decision_id)
    said = connection.execute(query.order_by(feedback.c.feedback_id))
    return entry_of(row._asdict(), tuple([_feedback(one._asdict()) for one in said]))


def subject_of(connection: Connection, decision_id: str) -> Subject | None:
    """What feedback on a decision is about; ``None`` where the decision is not here."""
    known = decisions.c
    query = select(known.project, known.task, known.mode, known.answered_by, known.trace_id)
    row = connection.execute(query.where(known.decision_id == decision_id)).first()
    return None if row is None else Subject(*row)


def entries(
    connection: Connection, since_s: float = 0.0, project: str | None = None
) -> Iterator[Entry]:
    """Every decision since then (seconds since the epoch), in order of time, without feedback."""
    query = select(decisions).where(decisions.c.time_ms >= round(since_s * 1000))
    if project is not None:
        query = query.where(decisions.c.project == project)
    query = query.order_by(decisions.c.time_ms, decisions.c.decision_id)
    for row in connection.execution_options(yield_per=1000).execute(query):
        yield entry_of(row._asdict())


def latest(connection: Connection, only: Only, since_s: float, most: int) -> Iterator[Entry]:
    """The newest decisions since then (seconds since the epoch), without feedback."""
    query = select(decisions).where(decisions.c.time_ms >= round(since_s * 1000))
    query = query.where(*only.conditions(decisions)).order_by(decisions.c.time_ms.desc())
    for row in connection.execute(query.limit(most)):
        yield entry_of(row._asdict())


def graded(connection: Connection, since_s: float = 0.0) -> Iterator[Graded]:
    """Every graded answer decided since then (seconds since the epoch), in order."""
    known = decisions.c
    query = (
        select(known.task, known.answered_by, known.cost_usd, known.total_ms, feedback)
        .join(feedback, feedback.c.decision_id == known.decision_id)
        .where(known.time_ms >= round(since_s * 1000), known.answered_by.is_not(None))
        .order_by(known.decision_id, feedback.c.feedback_id)
    )
    together: list[Mapping[str, Any]] = []
    for row in connection.execution_options(yield_per=1000).execute(query):
        if together and together[0]["decision_id"] != row.decision_id:
            yield _graded(together)
            together = []
        together.append(row._asdict())
    if together:
        yield _graded(together)


def _graded(rows: list[Mapping[str, Any]]) -> Graded:
    """One answer counts once, however many people graded it."""
    one, score = rows[0], sum(row["score"] for row in rows) / len(rows)
    return Graded(
        decision_id=one["decision_id"],
        task=Task(one["task"]),
        model=one["answered_by"],
        score=score,
        cost_usd=one["cost_usd"],
        total_ms=one["total_ms"],
    )


def _feedback(row: Mapping[str, Any]) -> Feedback:
    return Feedback(
        row["decision_id"], row["score"], row["feedback_id"], row["comment"], row["labels"]
    )
