"""A month of decisions by the million: hundreds that the engine made, under other ids."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice
from typing import Any

from sqlalchemy import insert
from tests.console.traffic import ended, graded, records

from prism.ledger.entry import decision_row
from prism.ledger.store import Store
from prism.ledger.tables import decisions, feedback
from prism.routing.catalog import Catalog
from prism.routing.plan import compile_plan

DAYS = 30
_DAY_MS = 86_400_000
_TEMPLATES = 600
_AT_ONCE = 5000
_PROJECTS = 20
Row = tuple[dict[str, Any], float | None]


def write(store: Store, catalog: Catalog, count: int, now_s: float) -> None:
    """Write so many decisions of the last month with their outcomes; a twentieth has feedback."""
    made = _rows(catalog, count, now_s)
    while piece := list(islice(made, _AT_ONCE)):
        with store.writing() as connection:
            connection.execute(insert(decisions), [row for row, _ in piece])
            said = [_said(row, score) for row, score in piece if score is not None]
            if said:
                connection.execute(insert(feedback), said)


def _said(row: dict[str, Any], score: float) -> dict[str, Any]:
    return {
        "decision_id": row["decision_id"],
        "feedback_id": "default",
        "time_ms": row["time_ms"] + 60_000,
        "score": score,
        "comment": None,
        "labels": {},
    }


def _rows(catalog: Catalog, count: int, now_s: float) -> Iterator[Row]:
    """In order of time, as they come."""
    chance = random.Random(20261127)
    templates = _templates(chance, catalog, now_s)
    now_ms = round(now_s * 1000)
    for number in range(count):
        row, score = chance.choice(templates)
        time_ms = now_ms - (count - number) * DAYS * _DAY_MS // count
        name = f"{time_ms:012x}{number:016x}"
        project = f"project-{chance.randrange(_PROJECTS)}"
        yield {**row, "decision_id": name, "time_ms": time_ms, "project": project}, score


def _templates(chance: random.Random, catalog: Catalog, now_s: float) -> list[Row]:
    plan = compile_plan(catalog)
    made = []
    for record in islice(records(chance, plan, now_s, _TEMPLATES // DAYS), _TEMPLATES):
        over = ended(chance, plan, record)
        grade = graded(chance, plan, record, over)
        score = grade.score if grade is not None and chance.random() < 0.25 else None
        made.append((decision_row(record, over), score))
    return made
