"""What is wrong with the candidate that a RoutingTable names."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from prism.resources.loose import Spec, mapping, text
from prism.resources.problem import Finding, Path, did_you_mean, listing, show
from prism.resources.resource import Resource
from prism.resources.schema import ROUTING_TABLE
from prism.routing.catalog import Table

_PLACE: Path = ("spec", "candidate", "table")


def names_itself(document: Mapping[str, Any], spec: Spec) -> Iterator[Finding]:
    """Whether a table is its own candidate. The API server asks, too: ``crds`` has its rule."""
    name = text(mapping(spec, "candidate"), "table")
    if name and name == text(mapping(document, "metadata"), "name"):
        yield Finding(_PLACE, "is this table itself; name another one, or remove spec.candidate")


def lint_candidate(
    resource: Resource,
    table: Table,
    resources: Mapping[str, Resource],
    tables: Mapping[str, Table],
    broken: Collection[str],
) -> list[Finding]:
    """Findings about the candidate of ``table``, in the light of the tables that go live with it.
    ``broken`` has the labels of those that were refused before."""
    wanted = table.candidate
    if wanted is None:
        return []
    other = tables.get(wanted.table)
    if other is None:
        if f"{ROUTING_TABLE}/{wanted.table}" in broken:
            return []
        hint = did_you_mean(wanted.table, [name for name in tables if name != table.name])
        return [Finding(_PLACE, f"no RoutingTable named {show(wanted.table)}{hint}")]
    return [*_alone(resource, resources[other.name], other), *_alike(table, other)]


def _alone(resource: Resource, found: Resource, other: Table) -> Iterator[Finding]:
    if found.namespace != resource.namespace:
        message = (
            f"RoutingTable/{other.name} is in namespace {found.namespace}; a candidate must be in "
            f"that of its table, {resource.namespace}"
        )
        yield Finding(_PLACE, message)
    if other.candidate is not None:
        message = (
            f"RoutingTable/{other.name} has a candidate itself, {show(other.candidate.table)}; "
            "candidates don't chain, so remove one of the two"
        )
        yield Finding(_PLACE, message)


def _alike(table: Table, other: Table) -> Iterator[Finding]:
    """One name must mean one thing in both: by it models are asked for, forced and denied, by it
    they count as failing, and by it the two tables are compared."""
    for name, model in other.models.items():
        own = table.models.get(name)
        if own is None:
            continue
        ours, theirs = table.providers[own.provider], other.providers[model.provider]
        if own.provider != model.provider:
            what = f"is of provider {show(model.provider)} there and of {show(own.provider)} here"
        elif (ours.base_url, ours.api) != (theirs.base_url, theirs.api):
            what = f"is at another address of provider {show(model.provider)} there"
        elif ours.region != theirs.region:
            what = f"is in region {show(theirs.region)} there and in {show(ours.region)} here"
        elif own.upstream_name != model.upstream_name:
            what = f"is {show(model.upstream_name)} there and {show(own.upstream_name)} here"
        else:
            continue
        message = f"model {show(name)} of RoutingTable/{other.name} {what}; give it another name"
        yield Finding(_PLACE, message)
    if missing := table.auto_names - other.auto_names:
        names = listing(map(show, sorted(missing)))
        message = (
            f"RoutingTable/{other.name} lacks {names} among its autoNames, so it could not decide "
            "requests for it"
        )
        yield Finding(_PLACE, message)
