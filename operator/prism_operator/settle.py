"""Which version of each resource goes live, so that all that are live fit together.

Every resource is tried in its present version. Where something is wrong, one of those at fault
steps back to the version that is live, again and again until no error is left. What is live fits
together, so this ends; a resource that was never live steps back to nothing. Nothing here waits,
asks or remembers: the same resources and the same live ones always settle the same way, and
settling once more changes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from prism.resources import (
    PROJECT_POLICY,
    ROUTING_TABLE,
    Problem,
    Resource,
    Severity,
    compile_resources,
    to_policy,
    to_table,
    version_of,
)
from prism.routing.catalog import Catalog
from prism_operator.conflicts import Age, claim_conflicts, name_conflicts
from prism_operator.observed import Key, Observed, claimed_by
from prism_operator.settlement import Reason, Settlement, Verdict

_MOST_TURNS = 5
_TABLE_PATHS = ("spec.table", "spec.candidate.table")
_BREAKS = {
    PROJECT_POLICY: Reason.BREAKS_POLICIES,
    ROUTING_TABLE: Reason.BREAKS_TABLES,
}
_NO_TABLE = "there is no RoutingTable; add one"


def settle(observed: Iterable[Observed], live: Mapping[Key, Resource]) -> Settlement:
    """Settle what exists, given what is live (of an earlier settlement, or stored by one)."""
    objects = {one.key: one for one in observed}
    for _ in range(_MOST_TURNS):
        settling = _Settling(objects, live)
        found = settling.settlement(settling.run())
        if not settling.refused or found.live == live:
            break
        # What went live may make room for what was refused: a name or a key that was given up.
        live = found.live
    return found


@dataclass(slots=True)
class _Settling:
    """``refused``: whose present version does not go live, and why. ``retained``: deleted
    tables that stay. ``out``: what is live of them does not fit, either."""

    objects: Mapping[Key, Observed]
    live: Mapping[Key, Resource]
    refused: dict[Key, tuple[Reason, dict[Problem, None]]] = field(default_factory=dict)
    retained: set[Key] = field(default_factory=set)
    out: set[Key] = field(default_factory=set)
    chosen: dict[Key, Resource] = field(default_factory=dict)
    warnings: dict[Key, list[Problem]] = field(default_factory=dict)
    live_default: str = ""
    # As they were when the round began: all faults of one round are judged alike.
    were_refused: frozenset[Key] = frozenset()
    were_retained: frozenset[Key] = frozenset()

    def run(self) -> Catalog | None:
        """Step back until no error is left; ``None`` where nothing can be live."""
        tables = [r for key, r in self.live.items() if key.kind == ROUTING_TABLE]
        self.live_default = compile_resources(tables)[0].default_table
        for key, one in self.objects.items():
            if one.resource is None:
                self.refused[key] = (Reason.INVALID, {})
        while True:
            self.chosen = self._choose()
            self.were_refused = frozenset(self.refused)
            self.were_retained = frozenset(self.retained)
            catalog, problems = compile_resources(self.chosen.values())
            if not catalog.default_table:
                if not self._find_default(problems):
                    return None
            elif not self._step_back(catalog, problems):
                return catalog

    def _choose(self) -> dict[Key, Resource]:
        chosen = {key: self.live[key] for key in self.retained}
        for key, one in self.objects.items():
            resource = self.live.get(key) if key in self.refused else one.resource
            if resource is not None and key not in self.out:
                chosen[key] = resource
        return dict(sorted(chosen.items()))

    def _find_default(self, problems: Iterable[Problem]) -> bool:
        """No table is the default: a deleted one comes back, or new ones step back."""
        deleted = self._deleted_table(self.live_default)
        if deleted is not None:
            self.retained.add(deleted)
            return True
        new = [k for k in self.chosen if k.kind == ROUTING_TABLE and k not in self.live]
        why = [problem for problem in problems if problem.path == "metadata.name"]
        for key in new:
            self._refuse(key, Reason.INVALID, why)
        return bool(new)

    def _step_back(self, catalog: Catalog, problems: Iterable[Problem]) -> bool:
        """Whether something was at fault, and so did step back."""
        default, age = catalog.default_table, self._age
        conflicts = name_conflicts(self.chosen, self.live, age)
        if not conflicts and self._any_claimed_twice():
            conflicts = claim_conflicts(self.chosen, self.live, default, self.live_default, age)
        if conflicts:
            for key, found in conflicts.items():
                self._blame(key, Reason.CONFLICT, found, default)
            return True
        keys = {key.label: key for key in self.chosen}
        errors: dict[Key, list[Problem]] = defaultdict(list)
        self.warnings = defaultdict(list)
        for problem in problems:
            (errors if problem.is_error else self.warnings)[keys[problem.resource]].append(problem)
        for key, found in errors.items():
            self._blame(key, Reason.INVALID, found, default)
        if any(key.kind == ROUTING_TABLE for key in self.refused.keys() - self.were_refused):
            self._readmit()
        return bool(errors)

    def _any_claimed_twice(self) -> bool:
        """A quick look whether claims have to be compared at all."""
        seen: set[str] = set()
        for key, resource in self.chosen.items():
            one = self.objects.get(key)
            known = one is not None and one.resource is resource
            claimed = one.claimed if one is not None and known else claimed_by(resource)
            if not seen.isdisjoint(claimed):
                return True
            seen |= claimed
        return False

    def _blame(self, key: Key, reason: Reason, problems: list[Problem], default: str) -> None:
        """A resource does not fit. If it is new or changed, that is at fault; else a table that
        it uses is, if that is new, changed or deleted."""
        if key not in self.were_refused and self._changed(key):
            self._refuse(key, reason, problems)
        elif (table := self._changed_table(key, default)) is not None:
            self._refuse(table, _BREAKS[key.kind], [_broken(p) for p in problems])
        elif (deleted := self._deleted_of(key)) is not None:
            self.retained.add(deleted)
        else:
            self._refuse(key, reason, problems)
            self.out.add(key)

    def _refuse(self, key: Key, reason: Reason, problems: Iterable[Problem]) -> None:
        self.refused.setdefault(key, (reason, {}))[1].update(dict.fromkeys(problems))

    def _readmit(self) -> None:
        """A table stepped back, so what was wrong in its light may be right again."""
        for key, (reason, _) in list(self.refused.items()):
            if key.kind != PROJECT_POLICY or reason is not Reason.INVALID or key in self.out:
                continue
            if self.objects[key].resource is not None:
                del self.refused[key]

    def _changed(self, key: Key) -> bool:
        before = self.live.get(key)
        return before is None or before.generation != self.chosen[key].generation

    def _changed_table(self, key: Key, default: str) -> Key | None:
        """A table that a resource uses now, if that is new or another version than is live."""
        for name in _tables(self.chosen[key], default, self.chosen):
            for table in self.chosen:
                if table.kind != ROUTING_TABLE or table.name != name:
                    continue
                if table not in self.were_refused and self._changed(table):
                    return table
        return None

    def _deleted_of(self, key: Key) -> Key | None:
        """A deleted table that a resource uses by what is live, and that is not back yet."""
        for name in _tables(self.live.get(key), self.live_default, self.live):
            if (deleted := self._deleted_table(name)) is not None:
                return deleted
        return None

    def _deleted_table(self, name: str) -> Key | None:
        """The live table of that name, where it exists no more and is not yet brought back."""
        for key in self.live:
            if key.kind == ROUTING_TABLE and key.name == name:
                gone = key not in self.objects and key not in self.were_retained
                return key if gone else None
        return None

    def _age(self, key: Key) -> Age:
        """Who goes first where two want the same: whom the status says to be in force (should
        the stored snapshot be lost), then the older one, then by name."""
        one = self.objects.get(key)
        if one is None:
            return (False, "", key.namespace, key.name)
        return (not one.status.get("snapshot"), one.created, key.namespace, key.name)

    def settlement(self, catalog: Catalog | None) -> Settlement:
        """The outcome, with a verdict on every resource that exists."""
        withheld = self._withheld(catalog)
        if withheld or catalog is None:
            version = version_of(self.live.values()) if self.live else ""
            return Settlement(version, self.live, self._verdicts(self.live), withheld=withheld)
        return Settlement(
            version=catalog.version,
            live=self.chosen,
            verdicts=self._verdicts(self.chosen, catalog.default_table),
            retained=frozenset(self.retained),
        )

    def _verdicts(self, live: Mapping[Key, Resource], default: str = "") -> dict[Key, Verdict]:
        return {key: self._verdict(key, live.get(key), default) for key in self.objects}

    def _withheld(self, catalog: Catalog | None) -> str:
        """Why nothing goes live. A policy that was in force is never skipped: without a
        version of it that could be, everything stays as it is."""
        if catalog is None:
            return _NO_TABLE
        for key, one in self.objects.items():
            was_live = key in self.live or bool(one.status.get("snapshot"))
            if key.kind == PROJECT_POLICY and was_live and key not in self.chosen:
                return (
                    f"{key.label} in namespace {key.namespace} was in force, and no version of it "
                    "can be any more, so nothing changes until it is put right or deleted"
                )
        return ""

    def _verdict(self, key: Key, live: Resource | None, default: str) -> Verdict:
        own = self.objects[key].problems
        if key in self.refused:
            reason, problems = self.refused[key]
            found = [self._told(problem, key) for problem in problems]
            return Verdict(reason, (*own, *found), live)
        deleted = ""
        if default and self.retained:
            gone = {k.name for k in self.retained}
            deleted = next((n for n in _tables(live, default) if n in gone), "")
        return Verdict(Reason.ACCEPTED, (*own, *self.warnings.get(key, ())), live, deleted)

    def _told(self, problem: Problem, key: Key) -> Problem:
        """The problem; that a table is missing means something else where it was refused."""
        resource = self.objects[key].resource
        if problem.path not in _TABLE_PATHS or resource is None:
            return problem
        spec = resource.spec if key.kind == PROJECT_POLICY else resource.spec["candidate"]
        name = spec.get("table")
        if not any(k.kind == ROUTING_TABLE and k.name == name for k in self.refused):
            return problem
        message = f"RoutingTable/{name} is refused itself, and no version of it is live"
        return Problem(Severity.ERROR, message, problem.path, resource=problem.resource)


def _tables(
    resource: Resource | None, default: str, among: Mapping[Key, Resource] | None = None
) -> Iterator[str]:
    """The names of the tables that a resource uses: a policy its own and, where that is
    ``among`` these, its candidate; a table its candidate."""
    if resource is None:
        return
    if resource.kind == ROUTING_TABLE:
        if (candidate := to_table(resource).candidate) is not None:
            yield candidate.table
        return
    own = to_policy(resource, default).table
    yield own
    for key, other in (among or {}).items():
        if key.kind == ROUTING_TABLE and key.name == own:
            yield from _tables(other, default)


def _broken(problem: Problem) -> Problem:
    """What a table would break in a policy, as a problem of the table."""
    what = f"{problem.path}: {problem.message}" if problem.path else problem.message
    message = f"{problem.resource}, which is live, would be wrong with it: {what}"
    return Problem(Severity.ERROR, message, "spec")
