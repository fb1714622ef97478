"""What a ProjectPolicy says about the table it uses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from prism.resources.failure import rules_out
from prism.resources.problem import Finding, Path, did_you_mean, listing, show, warning
from prism.routing.catalog import Policy, Table


def lint_use(spec: Mapping[str, Any], policy: Policy, table: Table) -> list[Finding]:
    """Findings about a valid policy in the light of its table."""
    return [
        *_known_models(spec, table),
        *_known_regions(spec, table),
        *_forced(spec, policy, table),
        *_empty_cells(policy, table),
        *_reachable(policy, table),
    ]


def _known_models(spec: Mapping[str, Any], table: Table) -> Iterator[Finding]:
    for field in ("allowed", "denied"):
        path: Path = ("spec", "models", field)
        yield from _known(spec["models"].get(field, ()), path, table.models, "model", table)


def _known_regions(spec: Mapping[str, Any], table: Table) -> Iterator[Finding]:
    regions = dict.fromkeys(provider.region for provider in table.providers.values())
    path: Path = ("spec", "regions", "allowed")
    allowed = spec["regions"].get("allowed", ())
    yield from _known(allowed, path, regions, "region", table)


def _known(
    names: Iterable[str], path: Path, known: Iterable[str], noun: str, table: Table
) -> Iterator[Finding]:
    known = list(known)
    for index, name in enumerate(names):
        if name not in known:
            hint = did_you_mean(name, known) or f"; it has {listing(known)}"
            message = f"no {noun} {show(name)} in RoutingTable/{table.name}{hint}"
            yield Finding((*path, index), message)


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
