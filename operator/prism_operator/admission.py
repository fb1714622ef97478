"""The verdict on a resource before it is stored: the one that its status would show after.

A resource is settled together with those that its verdict depends on, as if it were there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from prism.resources import PROJECT_POLICY, ROUTING_TABLE, Problem
from prism_operator.observed import Key, Observed, claimed_by, observe
from prism_operator.settle import settle
from prism_operator.settlement import Settlement

_NEWEST = "9999"
"""A creationTimestamp for what is not created yet: everything else is older."""


@dataclass(frozen=True, slots=True)
class Review:
    """Whether a resource may be stored, and everything that was found."""

    allowed: bool
    problems: tuple[Problem, ...]


def review(
    document: Mapping[str, Any], observed: Iterable[Observed], settled: Settlement
) -> Review:
    """Judge a document beside what is there. ``observed`` are the resources that exist, and
    ``settled`` is what they came to."""
    there = {one.key: one for one in observed}
    asked = observe(document)
    before = there.get(asked.key)
    asked = replace(asked, status={}, created=before.created if before else _NEWEST)
    if asked.resource is None:
        return Review(False, asked.problems)
    beside = _beside(asked, there, settled)
    live = {
        key: resource
        for key, resource in settled.live.items()
        if key not in there or key in beside or key == asked.key
    }
    verdict = settle([*beside.values(), asked], live).verdicts[asked.key]
    return Review(verdict.accepted, verdict.problems)


def _beside(
    asked: Observed, there: Mapping[Key, Observed], settled: Settlement
) -> dict[Key, Observed]:
    """The resources that may change the verdict: all, but for a policy beside tables that stay
    as they are only the tables and the policies that want the same, or the same as one that does.
    Judging one of 2,000 policies stays quick by that."""
    others = {key: one for key, one in there.items() if key != asked.key}
    if asked.key.kind == ROUTING_TABLE or _unsettled(others, settled):
        return others
    related = _related(asked, others, settled)
    return {key: one for key, one in others.items() if key.kind == ROUTING_TABLE or key in related}


def _unsettled(others: Mapping[Key, Observed], settled: Settlement) -> bool:
    """Whether the fate of a table is still open, which policies decide that have nothing else to
    do with each other: one may break it, and others be wrong without it. Or whether nothing may
    change for the sake of one policy."""
    for key, one in others.items():
        live = settled.live.get(key)
        if key.kind == ROUTING_TABLE:
            if one.resource is None or live is None or one.resource.generation != live.generation:
                return True
        elif live is None and one.status.get("snapshot"):
            return True
    gone = (key for key in settled.live if key.kind == ROUTING_TABLE and key not in others)
    return bool(settled.withheld) or next(gone, None) is not None


def _related(asked: Observed, others: Mapping[Key, Observed], settled: Settlement) -> set[Key]:
    """The policies that claim what ``asked`` does, now or by what is in force of them, those that
    claim what one of these does, and so on."""
    wants = {
        key: _wanted(one, settled) for key, one in others.items() if key.kind == PROJECT_POLICY
    }
    taken, found = set(_wanted(asked, settled)), set[Key]()
    while new := [k for k, w in wants.items() if k not in found and not taken.isdisjoint(w)]:
        found.update(new)
        taken.update(*(wants[key] for key in new))
    return found


def _wanted(one: Observed, settled: Settlement) -> frozenset[str]:
    """What a policy may hold: its name, which is global to a gateway, and its claims."""
    live = settled.live.get(one.key)
    held = frozenset[str]() if live is None or live is one.resource else claimed_by(live)
    return one.claimed | held | {one.key.label}
