"""What people said of answers, summed up by task and model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from prism.ledger.sums import Only, Span
from prism.ledger.tables import decisions, feedback

MOST = 10_000
"""Feedbacks that are looked at: each costs a look for its decision, and no mean gets better."""


@dataclass(frozen=True, slots=True)
class Grades:
    """Answers that were graded: how many, and the sums of their scores (0 to 1) and of the
    squares of these. An answer's score is the mean of all feedback on it."""

    count: int
    total: float
    squares: float

    @property
    def mean(self) -> float:
        """The mean score."""
        return self.total / self.count

    @property
    def spread(self) -> float:
        """The sum of squared differences from the mean."""
        return max(0.0, self.squares - self.total * self.mean)


def grades(
    connection: Connection, span: Span, only: Only, most: int = MOST
) -> dict[tuple[str, str], Grades]:
    """Of answers decided in ``span``, by task and model: of the newest ``most`` feedbacks."""
    of = decisions.c
    return newest_grades(
        connection, span, (of.task, of.answered_by), only.conditions(decisions), most
    )


def newest_grades(
    connection: Connection,
    span: Span,
    by: tuple[ColumnElement[Any], ColumnElement[Any]],
    conditions: Iterable[ColumnElement[bool]],
    most: int,
) -> dict[Any, Grades]:
    """The same by any two columns of ``decisions``. Feedback comes after its decision, so no older
    one need be read."""
    of, said = decisions.c, feedback.c
    read = select(said.decision_id, said.score).where(said.time_ms >= span.since_ms)
    new = read.order_by(said.time_ms.desc()).limit(most).subquery()
    score = func.avg(new.c.score).label("score")
    one = select(new.c.decision_id, score).group_by(new.c.decision_id).subquery()
    sums = (func.count(), func.sum(one.c.score), func.sum(one.c.score * one.c.score))
    query = (
        select(*by, *sums)
        .select_from(one.join(decisions, of.decision_id == one.c.decision_id))
        .where(of.time_ms >= span.since_ms, of.time_ms < span.until_ms)
        .where(of.answered_by.is_not(None), *conditions)
        .group_by(*by)
    )
    rows = connection.execute(query)
    return {(row[0], row[1]): Grades(int(row[2]), float(row[3]), float(row[4])) for row in rows}
