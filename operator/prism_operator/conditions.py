"""The status of one resource, from its verdict and from how far it has come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from prism.resources import ROUTING_TABLE, Problem
from prism_operator.observed import Observed
from prism_operator.rollout import Reach
from prism_operator.settlement import Verdict

ACCEPTED = "Accepted"
PROGRAMMED = "Programmed"

_MOST_PROBLEMS = 64
_LONGEST = 1000
_FIELDS = (
    "observedGeneration",
    "conditions",
    "problems",
    "snapshot",
    "replicas",
    "replicasProgrammed",
    "replicasTotal",
)

Status = Mapping[str, Any]


class Condition(NamedTuple):
    """A condition before it is known since when it is so."""

    type: str
    status: str
    reason: str
    message: str


def status_of(
    one: Observed, verdict: Verdict, reach: Reach, version: str, withheld: str, now: str
) -> Status:
    """The status of a resource. ``version`` is the snapshot that replicas should run, empty
    where there is none, and ``now`` a time in RFC 3339.

    ``snapshot`` stays the one in which the resource went live: another resource's change is
    no change of this one.
    """
    snapshot = _snapshot(one, verdict, version)
    conditions = (_accepted(verdict), _programmed(verdict, reach, snapshot, withheld))
    before = one.status
    return {
        "observedGeneration": one.generation,
        "conditions": [_dated(c, one.generation, before, now) for c in conditions],
        "problems": _listed(verdict.problems),
        "snapshot": snapshot or None,
        "replicas": reach.text,
        "replicasProgrammed": reach.running,
        "replicasTotal": reach.total,
    }


def _snapshot(one: Observed, verdict: Verdict, version: str) -> str:
    """The snapshot in which that what is in force of a resource went live."""
    if verdict.live is None:
        return ""
    before: str = one.status.get("snapshot") or ""
    same = one.status.get("observedGeneration") == one.generation and _holds(one.status, ACCEPTED)
    return before if before and (same or not verdict.accepted) else version


def _accepted(verdict: Verdict) -> Condition:
    if verdict.accepted:
        return Condition(
            ACCEPTED, "True", verdict.reason, "It is right, by itself and beside the others."
        )
    errors = [problem for problem in verdict.problems if problem.is_error]
    first = _text(errors[0]) if errors else "It is refused."
    more = f" (and {len(errors) - 1} more in status.problems)" if len(errors) > 1 else ""
    return Condition(ACCEPTED, "False", verdict.reason, _cut(first) + more)


def _programmed(verdict: Verdict, reach: Reach, snapshot: str, withheld: str) -> Condition:
    def no(reason: str, message: str) -> Condition:
        return Condition(PROGRAMMED, "False", reason, _cut(message))

    if not verdict.accepted:
        kept = (
            "the last good version stays in force" if verdict.live else "nothing of it is in force"
        )
        return no("NotAccepted", f"This version is refused; {kept}.")
    if withheld:
        return no("Withheld", withheld)
    if verdict.deleted_table:
        table = f"RoutingTable/{verdict.deleted_table}"
        who, field = ("policy", "spec.table")
        if verdict.live is not None and verdict.live.kind == ROUTING_TABLE:
            who, field = ("table", "spec.candidate")
        message = f"{table} was deleted; its last version stays in force for this {who}."
        return no("TableDeleted", f"{message} Create it again or change {field}.")
    if not reach.total:
        message = "No replica of the gateway is connected to the operator."
        return Condition(PROGRAMMED, "Unknown", "NoReplicas", message)
    if reach.refused:
        name, why = reach.refused[0]
        count = f"{len(reach.refused)} of {reach.total} replicas refused it"
        return no("Refused", f"{count}; {name}: {why}")
    if reach.waiting:
        names = ", ".join(sorted(reach.waiting)[:5])
        return no("Pending", f"{reach.text} replicas at snapshot {snapshot}; waiting for {names}.")
    return Condition(
        PROGRAMMED, "True", PROGRAMMED, f"{reach.text} replicas at snapshot {snapshot}."
    )


def _dated(condition: Condition, generation: int, before: Status, now: str) -> dict[str, Any]:
    old = find(before, condition.type)
    same = old.get("status") == condition.status
    return {
        **condition._asdict(),
        "observedGeneration": generation,
        "lastTransitionTime": (old.get("lastTransitionTime") if same else "") or now,
    }


def find(status: Status, kind: str) -> Mapping[str, Any]:
    """The condition of a type; empty where there is none."""
    for condition in status.get("conditions") or ():
        if condition.get("type") == kind:
            found: Mapping[str, Any] = condition
            return found
    return {}


def _holds(status: Status, kind: str) -> bool:
    return find(status, kind).get("status") == "True"


def _listed(problems: Iterable[Problem]) -> list[dict[str, str]]:
    """Problems for the status: errors first, and no more than a person would read."""
    ordered = sorted(problems, key=lambda problem: not problem.is_error)
    listed = [
        {"path": _cut(p.path), "message": _cut(p.message), "severity": p.severity.value}
        for p in ordered[:_MOST_PROBLEMS]
    ]
    if rest := len(ordered) - len(listed):
        last = {"path": "", "message": f"and {rest} more; prism validate shows all"}
        listed.append({**last, "severity": ordered[_MOST_PROBLEMS].severity.value})
    return listed


def _text(problem: Problem) -> str:
    return f"{problem.path}: {problem.message}" if problem.path else problem.message


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def differs(status: Status, before: Status) -> bool:
    """Whether a status has to be written."""
    return any(status.get(name) != before.get(name) for name in _FIELDS)


def urgent(status: Status, before: Status) -> bool:
    """Whether a difference is about the resource itself. The rest (how many replicas there
    are) concerns every resource at once and can wait until the replicas have calmed down."""
    if status["observedGeneration"] != before.get("observedGeneration"):
        return True
    if status["problems"] != (before.get("problems") or []):
        return True
    new, old = find(status, PROGRAMMED), find(before, PROGRAMMED)
    if new["status"] == "True" and old.get("status") != "True":
        return True
    calm = ("NoReplicas", "Pending", PROGRAMMED)
    changed = (new["reason"], new["message"]) != (old.get("reason"), old.get("message"))
    return changed and new["reason"] not in calm
