"""A catalog compiled for the hot path: every lookup a request needs is one dictionary away.

A plan never changes. What a policy leaves of a table, and the reasons why, are worked out
once here, so that a decision only picks them up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from prism.routing.bounds import Limits
from prism.routing.catalog import MODES, Capability, Catalog, Mode, Model, Policy, Table, Task
from prism.routing.decision import Reason, Step
from prism.routing.limits import described, unbounded

_EVERY_CAPABILITY = frozenset(Capability)


@dataclass(frozen=True, slots=True)
class Cell:
    """What a policy leaves of one (task, mode) of a table.

    ``names`` is the cell as the table has it. ``candidates`` are those that the policy
    leaves, in order, and ``ruled_out`` says why for the others. ``capabilities`` is what
    every candidate has, ``context_length`` (tokens) what every candidate holds: a request
    within both needs no look at single models.
    """

    names: tuple[str, ...]
    candidates: tuple[Model, ...]
    capabilities: frozenset[Capability]
    context_length: int
    ruled_out: tuple[Reason, ...]
    reason: Reason


@dataclass(frozen=True, slots=True)
class Scope:
    """What callers under one policy (or under none) may use of one table.

    ``models`` are those that the policy leaves, by name in the table's order, and
    ``ruled_out`` holds the reason for each of the others. ``forced`` has an entry for each
    (task, mode) that the policy sends to one model. ``limits`` are the policy's own, and
    ``limits_reason`` says them, where it has any. ``mode`` is for requests that declare
    none.
    """

    table: Table
    policy: Policy | None
    mode: Mode
    models: Mapping[str, Model]
    ruled_out: Mapping[str, Reason]
    cells: Mapping[tuple[Task, Mode], Cell]
    limits: Limits
    limits_reason: Reason | None
    forced: Mapping[tuple[Task, Mode], str]
    reason: Reason


@dataclass(frozen=True, slots=True)
class Plan:
    """A compiled catalog.

    ``by_key`` finds a policy by the SHA-256 hex digest of an API key, ``by_project`` by
    its project, ``anonymous`` by the table that it holds for when a request has no key.
    ``scopes`` is keyed by table name and policy name (``None``: no policy applies); a policy has
    one for the candidate of its table, too, unless it forces a model that is not in there.
    """

    version: str
    default_table: Table
    tables: Mapping[str, Table]
    policies: Mapping[str, Policy]
    by_key: Mapping[str, Policy]
    by_project: Mapping[str, Policy]
    anonymous: Mapping[str, Policy]
    scopes: Mapping[tuple[str, str | None], Scope]

    def scope(self, table: Table, policy: Policy | None) -> Scope:
        """What ``policy`` leaves of ``table``; both must be of this plan (else KeyError)."""
        return self.scopes[table.name, None if policy is None else policy.name]


def compile_plan(catalog: Catalog, before: Plan | None = None) -> Plan:
    """The plan of ``catalog``. What is the same in the plan ``before`` is taken over from it,
    so that one change among thousands of policies costs little.

    The resource linter refuses what would be ambiguous here; should two policies share a
    key, a project or a table's anonymous place all the same, the first one keeps it.

    Raises:
        ValueError: a name points to nothing: the default table, a policy's table, a table's
            candidate, a model of a cell or one forced by a policy.
    """
    tables, policies = catalog.tables, catalog.policies
    if catalog.default_table not in tables:
        raise ValueError(f"default table {catalog.default_table!r} does not exist")
    scopes: dict[tuple[str, str | None], Scope] = {}
    known = {} if before is None else before.scopes
    unbound = {name: _unbound(table, known.get((name, None))) for name, table in tables.items()}
    for name, scope in unbound.items():
        scopes[name, None] = scope
        if (other := scope.table.candidate) is not None and other.table not in tables:
            raise ValueError(f"table {name}: its candidate {other.table!r} does not exist")
    for policy in policies:
        if policy.table not in tables:
            raise ValueError(f"policy {policy.name}: table {policy.table!r} does not exist")
        for base in _tables_of(policy, unbound):
            key = base.table.name, policy.name
            old = known.get(key)
            same = old is not None and old.table is base.table and old.policy == policy
            scopes[key] = old if old is not None and same else _scope(base.table, policy, base)
    return Plan(
        version=catalog.version,
        default_table=unbound[catalog.default_table].table,
        tables={name: scope.table for name, scope in unbound.items()},
        policies=_first((policy.name, policy) for policy in policies),
        by_key=_first((key, policy) for policy in policies for key in policy.key_hashes),
        by_project=_first((policy.project, policy) for policy in policies),
        anonymous=_first((policy.table, policy) for policy in policies if policy.anonymous),
        scopes=scopes,
    )


def _tables_of(policy: Policy, unbound: Mapping[str, Scope]) -> Iterable[Scope]:
    """The table of a policy, and that table's candidate where it can do what the policy forces."""
    own = unbound[policy.table]
    candidate = own.table.candidate
    yield own
    if candidate is not None:
        other = unbound[candidate.table]
        if all(rule.model in other.table.models for rule in policy.forced):
            yield other


def _first(pairs: Iterable[tuple[str, Policy]]) -> dict[str, Policy]:
    found: dict[str, Policy] = {}
    for key, policy in pairs:
        found.setdefault(key, policy)
    return found


def _unbound(table: Table, known: Scope | None) -> Scope:
    """The scope of a table under no policy, the known one where the table is the same."""
    return known if known is not None and known.table == table else _scope(table, None, None)


def _scope(table: Table, policy: Policy | None, unbound: Scope | None) -> Scope:
    """``unbound`` is the scope of the table under no policy, once it is known."""
    ruled_out = {} if policy is None else _ruled_out(table, policy)
    models: Mapping[str, Model] = {
        name: model for name, model in table.models.items() if name not in ruled_out
    }
    if unbound is not None and not ruled_out:
        # Most of thousands of policies rule nothing out: they share what is the same.
        models, cells = unbound.models, unbound.cells
    else:
        cells = {key: _cell(table, key, models, ruled_out) for key in table.cells}
    if policy is None:
        reason = f"no policy applies; table {table.name}"
    else:
        left = f"{len(models)} of {len(table.models)} models"
        reason = f"policy {policy.name} of project {policy.project}; table {table.name}, {left}"
    limits = Limits() if policy is None else policy.limits
    return Scope(
        table=table,
        policy=policy,
        mode=(policy and policy.default_mode) or table.default_mode,
        models=models,
        ruled_out=ruled_out,
        cells=cells,
        limits=limits,
        limits_reason=None if unbounded(limits) else described(limits),
        forced={} if policy is None else _forced(table, policy),
        reason=Reason(Step.PROJECT, reason),
    )


def _ruled_out(table: Table, policy: Policy) -> dict[str, Reason]:
    denied = f"denied by policy {policy.name}"
    unlisted = f"not among the allowed models of policy {policy.name}"
    allowed, regions = policy.allowed_models, policy.allowed_regions
    reasons: dict[str, Reason] = {}
    for name, model in table.models.items():
        if name in policy.denied_models:
            reasons[name] = Reason(Step.ELIGIBLE, denied, name)
        elif allowed is not None and name not in allowed:
            reasons[name] = Reason(Step.ELIGIBLE, unlisted, name)
        elif regions is not None:
            region = table.providers[model.provider].region
            if region not in regions:
                text = f"region {region} is not allowed by policy {policy.name}"
                reasons[name] = Reason(Step.ELIGIBLE, text, name)
    return reasons


def _cell(
    table: Table,
    key: tuple[Task, Mode],
    models: Mapping[str, Model],
    ruled_out: Mapping[str, Reason],
) -> Cell:
    # A model named twice would be tried twice.
    names = tuple(dict.fromkeys(table.cells[key]))
    for name in names:
        if name not in table.models:
            raise ValueError(f"table {table.name}: cell {_label(key)}: no model {name!r}")
    candidates = tuple(models[name] for name in names if name in models)
    return Cell(
        names=names,
        candidates=candidates,
        capabilities=_EVERY_CAPABILITY.intersection(*(m.capabilities for m in candidates)),
        context_length=min((m.context_length for m in candidates), default=0),
        ruled_out=tuple(ruled_out[name] for name in names if name in ruled_out),
        reason=Reason(Step.CELL, f"cell {_label(key)}: {', '.join(names)}"),
    )


def _label(key: tuple[Task, Mode]) -> str:
    return f"({key[0]}, {key[1]})"


def _forced(table: Table, policy: Policy) -> dict[tuple[Task, Mode], str]:
    """The model forced for each (task, mode): one for the mode itself beats one for all."""
    forced: dict[tuple[Task, Mode], str] = {}
    for rule in sorted(policy.forced, key=lambda rule: rule.mode is None):
        if rule.model not in table.models:
            raise ValueError(f"policy {policy.name}: forced model {rule.model!r} does not exist")
        for mode in MODES if rule.mode is None else (rule.mode,):
            forced.setdefault((rule.task, mode), rule.model)
    return forced
