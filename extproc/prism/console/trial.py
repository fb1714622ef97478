"""A table that somebody hands in, tried: what it changes, and where requests would have gone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from prism.calibrate.changes import Changes
from prism.console.force import difference
from prism.resources import ROUTING_TABLE, Problem, compile_resources, has_errors, read_text
from prism.routing.catalog import Catalog, Table
from prism.routing.plan import compile_plan
from prism.routing.record import Record
from prism.simulate.again import Untold, again
from prism.simulate.difference import Difference

EXAMPLES = 3
"""Decisions named for each move."""
MOST_DECISIONS = 500
"""The newest decisions that are made again: more would hold up requests for too long."""
MOST_BYTES = 1024 * 1024
"""Of a table that is handed in."""


@dataclass(frozen=True, slots=True)
class Trial:
    """``problems`` are what is wrong with it, warnings too; only without errors is there more.
    ``name`` is the table whose place it takes."""

    name: str
    problems: tuple[str, ...] = ()
    changes: Changes | None = None
    difference: Difference | None = None


def tried(text: str, live: Catalog, name: str, records: Iterable[Record]) -> Trial:
    """The RoutingTable in ``text`` in the place of the table ``name``, policies as they are."""
    resources, problems = read_text(text, "table")
    tables = [one for one in resources if one.kind == ROUTING_TABLE]
    if has_errors(problems) or len(tables) != 1:
        return Trial(name, _said(problems) or ("there must be one RoutingTable in it",))
    catalog, more = compile_resources(tables)
    if has_errors(more):
        return Trial(name, _said([*problems, *more]))
    table = replace(next(iter(catalog.tables.values())), name=name)
    try:
        found = _again(live, table, records)
    except ValueError as error:
        return Trial(name, (*_said([*problems, *more]), str(error)))
    return Trial(name, _said([*problems, *more]), difference(live.tables[name], table), found)


def _again(live: Catalog, table: Table, records: Iterable[Record]) -> Difference:
    """Raises ``ValueError`` where a policy names what the table has not."""
    new = compile_plan(replace(live, tables={**live.tables, table.name: table}))
    old, found = compile_plan(live), Difference()
    for record in records:
        try:
            found.add(again(record, new, old), EXAMPLES)
        except Untold as untold:
            found.untold[str(untold)] += 1
    return found


def _said(problems: Iterable[Problem]) -> tuple[str, ...]:
    return tuple(map(str, problems))
