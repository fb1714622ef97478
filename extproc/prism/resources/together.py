"""Resources that go live together: what is wrong between them, and the Catalog of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from prism.resources.compile import DEFAULT_TABLE, to_policy, to_table
from prism.resources.failure import effective_failure_mode
from prism.resources.lint_candidate import lint_candidate
from prism.resources.lint_use import lint_use
from prism.resources.problem import Finding, Path, Problem, Severity, did_you_mean, show, warning
from prism.resources.resource import Resource, content_hash
from prism.resources.schema import PROJECT_POLICY, ROUTING_TABLE
from prism.routing.catalog import Catalog, FailureMode, Policy, Table


def compile_resources(
    resources: Iterable[Resource], broken: Collection[str] = ()
) -> tuple[Catalog, list[Problem]]:
    """The catalog of valid resources, and what is wrong between them.

    Use the catalog only where no problem is an error: it has one of what was claimed twice,
    and leaves out policies whose table does not exist. The tables in it have their effective
    failure mode. ``broken`` has the labels (``RoutingTable/default``) of resources that were
    refused before: references to those are not reported again.
    """
    every = list(resources)
    problems = list(_twice(every))
    tables = {r.name: r for r in reversed(every) if r.kind == ROUTING_TABLE}
    tables = dict(reversed(tables.items()))
    default = _default_table(tables, broken)
    if not default and not any(label.startswith(f"{ROUTING_TABLE}/") for label in broken):
        problems.append(_no_default(tables))
    compiled = {name: to_table(resource) for name, resource in tables.items()}
    for name, resource in tables.items():
        found = lint_candidate(resource, compiled[name], tables, compiled, broken)
        problems += [resource.problem(finding) for finding in found]
    policies: list[tuple[Resource, Policy]] = []
    for resource in _once(r for r in every if r.kind == PROJECT_POLICY):
        policy = to_policy(resource, default)
        if policy.table in compiled:
            policies.append((resource, policy))
            problems += _use(resource, policy, compiled)
        elif policy.table and f"{ROUTING_TABLE}/{policy.table}" not in broken:
            problems.append(resource.problem(_no_table(policy.table, compiled)))
    problems += _claims(policies)
    made = [policy for _, policy in policies]
    for name, table in compiled.items():
        mode, problem = _failure_mode(tables[name], table, made)
        compiled[name] = replace(table, failure_mode=mode)
        if name == default:  # Envoy alone knows no callers, so only this table's mode is used
            problems += problem
    return Catalog(compiled, tuple(made), default, version_of(every)), problems


def _use(resource: Resource, policy: Policy, tables: Mapping[str, Table]) -> list[Problem]:
    """What is wrong with a policy in the light of its table, and of that one's candidate."""
    table = tables[policy.table]
    candidate = None if table.candidate is None else tables.get(table.candidate.table)

    def look() -> list[Problem]:
        found = lint_use(resource.spec, policy, table, candidate)
        return [resource.problem(finding) for finding in found]

    return resource.made("use", (policy, table, candidate), look)


def _once(resources: Iterable[Resource]) -> list[Resource]:
    found: dict[str, Resource] = {}
    for resource in resources:
        found.setdefault(resource.name, resource)
    return list(found.values())


def _twice(resources: Sequence[Resource]) -> Iterator[Problem]:
    """Names are global to a catalog, whatever the namespace: decisions and metrics show them."""
    groups: dict[str, list[Resource]] = {}
    for resource in resources:
        groups.setdefault(resource.label, []).append(resource)
    for group in groups.values():
        for resource in group if len(group) > 1 else ():
            other = next(r for r in group if r is not resource)
            message = f"{resource.label} is also defined at {other.place}; rename or remove one"
            yield resource.problem(Finding(("metadata", "name"), message))


def _default_table(tables: Mapping[str, Resource], broken: Collection[str]) -> str:
    if DEFAULT_TABLE in tables:
        return DEFAULT_TABLE
    # With a refused table at hand nobody knows which one was meant to be the only one.
    if len(tables) == 1 and not any(label.startswith(f"{ROUTING_TABLE}/") for label in broken):
        return next(iter(tables))
    return ""


def _no_default(tables: Mapping[str, Resource]) -> Problem:
    if not tables:
        return Problem(Severity.ERROR, "there is no RoutingTable; add one")
    message = f"none of the {len(tables)} RoutingTables is named default; rename the default one"
    return next(iter(tables.values())).problem(Finding(("metadata", "name"), message))


def _no_table(name: str, tables: Mapping[str, Table]) -> Finding:
    message = f"no RoutingTable named {show(name)}{did_you_mean(name, tables)}"
    return Finding(("spec", "table"), message)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a policy claims for itself alone: equal claims have equal ``kind`` and ``value``.

    ``path`` is the place of the claim in the policy.
    """

    kind: Literal["project", "key", "anonymous"]
    value: str
    path: Path

    @property
    def what(self) -> str:
        """The claim in words, which never show a key."""
        if self.kind == "key":
            return "this key"
        if self.kind == "project":
            return f"the project {show(self.value)}"
        return f"the place of the anonymous policy of table {show(self.value)}"

    def held_by(self, other: Resource) -> Finding:
        """That another policy claims it, too."""
        place = other.place if other.file else f"namespace {other.namespace}"
        message = f"{self.what} is also claimed by {other.label} ({place}); keep it in one"
        return Finding(self.path, message)


def claims(resource: Resource, policy: Policy) -> Sequence[Claim]:
    """One project, one key, one anonymous place of a table: each belongs to one policy."""
    return resource.made("claims", policy, lambda: tuple(_claimed(resource, policy)))


def _claimed(resource: Resource, policy: Policy) -> Iterator[Claim]:
    yield Claim("project", policy.project, ("spec", "project"))
    for index, key in enumerate(resource.spec["apiKeys"]):
        yield Claim("key", key["sha256"], ("spec", "apiKeys", index, "sha256"))
    if policy.anonymous:
        yield Claim("anonymous", policy.table, ("spec", "anonymous"))


def _claims(policies: Sequence[tuple[Resource, Policy]]) -> Iterator[Problem]:
    claimed: dict[tuple[str, str], list[tuple[Resource, Claim]]] = {}
    for resource, policy in policies:
        for claim in claims(resource, policy):
            claimed.setdefault((claim.kind, claim.value), []).append((resource, claim))
    for claimants in claimed.values():
        for resource, claim in claimants if len(claimants) > 1 else ():
            other = next(r for r, _ in claimants if r is not resource)
            yield resource.problem(claim.held_by(other))


def _failure_mode(
    resource: Resource, table: Table, policies: Sequence[Policy]
) -> tuple[FailureMode, list[Problem]]:
    mode, why = effective_failure_mode(table, policies)
    if mode is table.failure_mode:
        return mode, []
    message = f"Closed is in force instead of Open: {why}. Write failureMode: Closed to agree"
    return mode, [resource.problem(warning(("spec", "failureMode"), message))]


def version_of(resources: Iterable[Resource]) -> str:
    """The version of resources that are live together, whatever their order."""
    return content_hash(sorted((r.kind, r.name, r.generation) for r in resources))
