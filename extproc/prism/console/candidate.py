"""A table beside its candidate: what each chose of the same requests, and what was measured."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from sqlalchemy import Connection

from prism.calibrate.quality import share_bounds
from prism.console.asking import Asked
from prism.console.beside import ALL, Arm, Beside, Compared, Move, Score
from prism.console.force import difference
from prism.ledger.grades import Grades, grades
from prism.ledger.sums import Only, Span
from prism.ledger.trials import Chosen, Pair, TrialSums, trial_grades, trials
from prism.routing.catalog import TASKS, Catalog, Table
from prism.routing.cost import cost_usd

MOST_MOVES = 20
"""Pairs of models that are shown."""
EXAMPLES = 2
"""Decisions named for each pair."""


def compared(
    connection: Connection | None, catalog: Catalog, asked: Asked, now_s: float
) -> list[Compared]:
    """Every table that is live and has a candidate; without a connection, without decisions."""
    span, only = asked.span(now_s), asked.only()
    found = {} if connection is None else trials(connection, span, only)
    made = []
    for table in catalog.tables.values():
        if table.candidate is None or asked.table not in (None, table.name):
            continue
        candidate = catalog.tables[table.candidate.table]
        pair = Pair(table.name, candidate.name, candidate.generation)
        others = sum(
            sums.requests
            for known, chosen in found.items()
            if known.table == table.name and known != pair
            for sums in chosen.values()
        )
        scores = _Scores(connection, span, only, pair)
        made.append(_compared(table, candidate, found.get(pair, {}), scores, others))
    return made


class _Scores:
    """Feedback: by who decided, and by the model that answered whatever decided."""

    def __init__(self, connection: Connection | None, span: Span, only: Only, pair: Pair) -> None:
        self.decided: Mapping[tuple[str, bool], Grades] = {}
        self.models: Mapping[tuple[str, str], Grades] = {}
        if connection is not None:
            self.decided = trial_grades(connection, span, only, pair)
            self.models = grades(connection, span, Only(only.project, None, only.task, only.mode))

    def of(self, task: str, applied: bool) -> Score | None:
        """Of one side at a task, or at all of them."""
        keys = [key for key in self.decided if key[1] == applied and task in (ALL, key[0])]
        return _score([self.decided[key] for key in keys])

    def at(self, task: str, model: str | None) -> Score | None:
        """Of a model at a task."""
        found = None if model is None else self.models.get((task, model))
        return _score([] if found is None else [found])


def _score(found: Iterable[Grades]) -> Score | None:
    parts = list(found)
    count = sum(one.count for one in parts)
    if not count:
        return None
    mean = sum(one.total for one in parts) / count
    return Score(count, mean, *share_bounds(mean, count))


def _compared(
    table: Table,
    candidate: Table,
    found: Mapping[Chosen, TrialSums],
    scores: _Scores,
    others: int,
) -> Compared:
    tasks: dict[str, Beside] = {ALL: Beside()}
    arms: dict[str, tuple[Arm, Arm]] = {ALL: (Arm(), Arm())}
    moves: dict[tuple[str, str | None, str | None], Beside] = {}
    refused = 0
    for chosen, sums in found.items():
        ours, theirs = chosen.model, chosen.other_model
        if chosen.applied:
            ours, theirs = theirs, ours
        costs = _costs(chosen, sums, table if chosen.applied else candidate)
        sides = [tasks[ALL], tasks.setdefault(chosen.task, Beside())]
        if ours != theirs:
            sides.append(moves.setdefault((chosen.task, ours, theirs), Beside()))
            refused += sums.requests if theirs is None else 0
        for beside in sides:
            _add(beside, chosen, sums, costs)
        for name in (ALL, chosen.task):
            arms.setdefault(name, (Arm(), Arm()))[chosen.applied].add(sums)
    for name, both in arms.items():
        for applied in (False, True):
            both[applied].score = scores.of(name, applied)
    return Compared(
        table,
        candidate,
        0 if table.candidate is None else table.candidate.percent,
        difference(table, candidate),
        {name: tasks[name] for name in _ordered(tasks)},
        {name: arms[name] for name in _ordered(arms)},
        list(_largest(moves, scores)),
        refused,
        others,
    )


def _add(beside: Beside, chosen: Chosen, sums: TrialSums, costs: tuple[float, float]) -> None:
    quality = sums.quality, sums.other_quality
    if chosen.applied:
        costs, quality = costs[::-1], quality[::-1]
    beside.requests += sums.requests
    beside.priced += sums.priced
    beside.cost += costs[0]
    beside.candidate_cost += costs[1]
    beside.graded += sums.graded
    beside.quality += quality[0]
    beside.candidate_quality += quality[1]
    if chosen.model != chosen.other_model:
        beside.differ += sums.requests
        beside.examples = sorted([*beside.examples, sums.newest], reverse=True)[:EXAMPLES]


def _costs(chosen: Chosen, sums: TrialSums, other: Table) -> tuple[float, float]:
    """What was spent, and what the other choice would have cost for the same tokens: prices are
    linear. Where the ``other`` table no longer has its model, as it was estimated then."""
    if chosen.model == chosen.other_model:
        return sums.cost_usd, sums.cost_usd
    if chosen.other_model is None:
        return sums.cost_usd, 0.0
    model = other.models.get(chosen.other_model)
    if model is None:
        return sums.cost_usd, sums.other_estimate_usd
    tokens = (
        *(sums.input_tokens, sums.output_tokens),
        *(sums.cached_input_tokens, sums.cache_write_tokens),
    )
    return sums.cost_usd, cost_usd(model.price, *tokens)


def _largest(
    moves: Mapping[tuple[str, str | None, str | None], Beside], scores: _Scores
) -> Iterator[Move]:
    ordered = sorted(moves.items(), key=lambda item: (-item[1].requests, str(item[0])))
    for (task, ours, theirs), beside in ordered[:MOST_MOVES]:
        yield Move(task, ours, theirs, beside, scores.at(task, ours), scores.at(task, theirs))


def _ordered(names: Iterable[str]) -> list[str]:
    order = [ALL, *map(str, TASKS)]
    return sorted(names, key=order.index)
