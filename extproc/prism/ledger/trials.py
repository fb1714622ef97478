"""What tables and their candidates chose, added up over a stretch of time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, or_, select

from prism.ledger.grades import MOST, Grades, newest_grades
from prism.ledger.stretches import NEWEST, TRIALS, together
from prism.ledger.sums import NO_PROJECT, Only, Span, parts
from prism.ledger.tables import TRIAL_KEYS, decisions


@dataclass(frozen=True, slots=True)
class Pair:
    """A table, its candidate and the version of that."""

    table: str
    candidate: str
    generation: str


@dataclass(frozen=True, slots=True)
class Chosen:
    """What decisions have in common: ``applied``, whether the candidate decided; the first model of
    the one that did, and of the other one, ``None`` where that had none."""

    applied: bool
    task: str
    model: str | None
    other_model: str | None


@dataclass(slots=True)
class TrialSums:
    """As the columns of ``prism_trial_hours``."""

    requests: int = 0
    failed: int = 0
    priced: int = 0
    timed: int = 0
    graded: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    cost_usd: float = 0.0
    other_estimate_usd: float = 0.0
    total_ms: float = 0.0
    quality: float = 0.0
    other_quality: float = 0.0
    newest: str = ""

    def add(self, other: TrialSums) -> None:
        """Count those, too; the newest of both is kept."""
        for name in _KINDS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.newest = max(self.newest, other.newest)


_KINDS: Mapping[str, type] = {
    field.name: int if field.type == "int" else float
    for field in fields(TrialSums)
    if field.name != NEWEST
}


def trials(connection: Connection, span: Span, only: Only) -> dict[Pair, dict[Chosen, TrialSums]]:
    """By table and version of its candidate. ``only.table`` is the table that names it, and
    ``only.model`` the first one of either decision."""
    found: dict[Pair, dict[Chosen, TrialSums]] = {}
    keys = (*TRIAL_KEYS[:4], "task", "model", "other_model")
    for table, part in parts(connection, TRIALS, span, whole_days=True):
        time = table.c.time_ms if table is decisions else table.c.start_ms
        of = TRIALS.measures() if table is decisions else together(TRIALS, table)
        wanted = [table.c[name] for name in keys]
        query = select(*wanted, *[column.label(name) for name, column in of.items()])
        query = query.where(time >= part.since_ms, time < part.until_ms, *_conditions(table, only))
        if table is decisions:
            query = query.where(TRIALS.counted())
        for row in connection.execute(query.group_by(*wanted)):
            _add(found, row._mapping)
    return found


def _add(found: dict[Pair, dict[Chosen, TrialSums]], row: Any) -> None:
    pair = Pair(row["candidate_of"], row["candidate_table"], row["candidate_generation"])
    chosen = Chosen(bool(row["candidate_applied"]), row["task"], row["model"], row["other_model"])
    numbers = {name: kind(row[name] or 0) for name, kind in _KINDS.items()}
    sums = found.setdefault(pair, {}).setdefault(chosen, TrialSums())
    sums.add(TrialSums(**numbers, newest=row[NEWEST] or ""))


def trial_grades(
    connection: Connection, span: Span, only: Only, pair: Pair, most: int = MOST
) -> dict[tuple[str, bool], Grades]:
    """What people said of answers that each of the two decided, by task and whether that was the
    candidate: of the newest ``most`` feedbacks."""
    of = decisions.c
    return newest_grades(
        connection,
        span,
        (of.task, of.candidate_applied),
        [
            *_conditions(decisions, only),
            of.candidate_of == pair.table,
            of.candidate_table == pair.candidate,
            of.candidate_generation == pair.generation,
        ],
        most,
    )


def _conditions(table: Table, only: Only) -> Sequence[ColumnElement[bool]]:
    of = table.c
    wanted = {of.candidate_of: only.table, of.task: only.task, of.mode: only.mode}
    found = [column == value for column, value in wanted.items() if value is not None]
    if only.model is not None:
        found.append(or_(of.model == only.model, of.other_model == only.model))
    if only.project is not None:
        none = only.project == NO_PROJECT
        found.append(of.project.is_(None) if none else of.project == only.project)
    return found
