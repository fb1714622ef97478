"""The table in force, and what a change of it changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prism.calibrate.changes import Changes, changes
from prism.calibrate.settings import Settings
from prism.routing.catalog import MODES, TASKS, Catalog, Model, Table


@dataclass(frozen=True, slots=True)
class InForce:
    """``cells`` has a row for each task, with the models of each mode. ``last`` is what the last
    change since the start of this process changed; ``None``: there was none. ``before`` names the
    generation and the version of before."""

    table: Table
    names: Sequence[str]
    version: str
    cells: Sequence[tuple[str, Sequence[Sequence[str]]]]
    models: Sequence[Model]
    last: Changes | None
    before: tuple[str, str] | None


def in_force(catalogs: tuple[Catalog | None, Catalog | None], name: str | None) -> InForce | None:
    """The table of that name, else the default one; ``None`` while nothing is live."""
    live, before = catalogs
    if live is None:
        return None
    table = live.tables.get(name or "") or live.tables[live.default_table]
    old = None if before is None else before.tables.get(table.name)
    return InForce(
        table,
        sorted(live.tables),
        live.version,
        [(str(task), [table.cells[task, mode] for mode in MODES]) for task in TASKS],
        list(table.models.values()),
        None if old is None else difference(old, table),
        None if old is None or before is None else (old.generation, before.version),
    )


def difference(old: Table, new: Table) -> Changes:
    """What requests could notice, for requests of usual length."""
    return changes(old, new, Settings())


def health(status: Mapping[str, Any], table: Table | None) -> list[dict[str, Any]]:
    """A row for each model of the table: what is known of it just now."""
    if table is None:
        return []
    failing, rests = status["failingModels"], status["restSecondsLeft"]
    return [
        {
            "model": name,
            "provider": model.provider,
            "failing": name in failing,
            "rest": rests.get(name),
            "in_a_row": status["failuresInARow"].get(name, 0),
            "first_token_ms": status["firstTokenMs"].get(name),
            "expected_ms": model.latency.time_to_first_token_ms,
        }
        for name, model in table.models.items()
    ]
