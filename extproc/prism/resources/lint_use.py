"""What a ProjectPolicy says about the table it uses, and about that table's candidate."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from prism.resources.failure import rules_out
from prism.resources.problem import Finding, Path, did_you_mean, listing, show, warning
from prism.routing.catalog import Policy, Table


def lint_use(
    spec: Mapping[str, Any], policy: Policy, table: Table, candidate: Table | None = None
) -> list[Finding]:
    """Findings about a valid policy in the light of its table. What only the table's
    ``candidate`` has may be allowed and denied, too."""
    tables = (table,) if candidate is None else (table, candidate)
    return [
        *_known_models(spec, tables),
        *_known_regions(spec, tables),
        *_forced(spec, policy, table),
        *_empty_cells(policy, table),
        *_reachable(policy, table),
        *(_left_alone(policy, table, candidate) if candidate is not None else ()),
    ]


def _known_models(spec: Mapping[str, Any], tables: Sequence[Table]) -> Iterator[Finding]:
    models = dict.fromkeys(name for table in tables for name in table.models)
    for field in ("allowed", "denied"):
        path: Path = ("spec", "models", field)
        yield from _known(spec["models"].get(field, ()), path, models, "model", tables[0])


def _known_regions(spec: Mapping[str, Any], tables: Sequence[Table]) -> Iterator[Finding]:
    every = (provider for table in tables for provider in table.providers.values())
    regions = dict.fromkeys(provider.region for provider in every)
    path: Path = ("spec", "regions", "allowed")
    allowed = spec["regions"].get("allowed", ())
    yield from _known(allowed, path, regions, "region", tables[0])


def _known(
    names: Iterable[str], path: Path, known: Collection[str], noun: str, table: Table
) -> Iterator[Finding]:
    for index, name in enumerate(names):
        if name not in known:
            hint = did_you_mean(name, known) or f"; it has {listing(known)}"
            message = f"no {noun} {show(name)} in RoutingTable/{table.name}{hint}"
            yield Finding((*path, index), message)


def _left_alone(policy: Policy, table: Table, candidate: Table) -> Iterator[Finding]:
    """Policies whose requests the candidate can't decide, or only by luck."""
    label = f"RoutingTable/{candidate.name}, the candidate of RoutingTable/{table.name},"
    own = f"so RoutingTable/{table.name} alone decides"
    for index, rule in enumerate(policy.forced):
        if rule.model in table.models and rule.model not in candidate.models:
            message = f"{label} has no model {show(rule.model)}, {own} requests of this project"
            yield warning(("spec", "forced", index, "model"), message)
            return
    if all(rules_out(candidate, policy, name) for name in candidate.models):
        yield warning(("spec",), f"no model of {label} is left, {own}")


def _forced(spec: Mapping[str, Any], policy: Policy, table: Table) -> Iterator[Finding]:
    for index, entry in enumerate(spec["forced"]):
        path: Path = ("spec", "forced", index, "model")
        model = entry["model"]
        if model not in table.models:
            hint = did_you_mean(model, table.models)
            message = f"no model {show(model)} in RoutingTable/{table.name}{hint}"
            yield Finding(path, message)
        elif why := rules_out(table, policy, model):
            yield Finding(path, f"{why} by this policy; force another model or allow it")


def _empty_cells(policy: Policy, table: Table) -> Iterator[Finding]:
    ruled_out = {name for name in table.models if rules_out(table, policy, name)}
    forced = {(entry.task, entry.mode) for entry in policy.forced}
    if not ruled_out:
        return
    empty = [
        f"{task}/{mode}"
        for (task, mode), models in table.cells.items()
        if ruled_out.issuperset(models) and not forced & {(task, mode), (task, None)}
    ]
    if len(ruled_out) == len(table.models):
        message = f"no model of RoutingTable/{table.name} is left; every request is refused"
        yield warning(("spec",), message)
    elif empty:
        cells = "the cell" if len(empty) == 1 else "the cells"
        message = f"no model is left in {cells} {listing(empty)} of RoutingTable/{table.name}"
        yield warning(("spec",), f"{message}; allow one, or force one for the task")


def _reachable(policy: Policy, table: Table) -> Iterator[Finding]:
    if policy.anonymous and table.require_api_key:
        message = f"has no effect: RoutingTable/{table.name} requires keys"
        yield warning(("spec", "anonymous"), message)
    elif not policy.anonymous and not policy.key_hashes and table.project_header is None:
        message = (
            "no request can belong to this project: it has no apiKeys, is not anonymous, and "
            f"RoutingTable/{table.name} has no trustedProjectHeader"
        )
        yield warning(("spec", "project"), message)
