"""The verdict on a resource before it is stored: the one that its status would show after.

A resource is settled together with those that its verdict depends on, as if it were there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from prism.resources import ROUTING_TABLE, Problem
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
    """The resources that may change the verdict: for a table all, for a policy the tables and
    the policies that want the same. Judging one of 2,000 policies stays quick by that."""
    others = {key: one for key, one in there.items() if key != asked.key}
    if asked.key.kind == ROUTING_TABLE:
        return others
    return {
        key: one
        for key, one in others.items()
        if key.kind == ROUTING_TABLE
        or key.label == asked.key.label
        or asked.claimed & one.claimed
        or asked.claimed & _held(key, settled)
    }


def _held(key: Key, settled: Settlement) -> frozenset[str]:
    """What a refused policy still holds by its last good version."""
    verdict = settled.verdicts.get(key)
    if verdict is None or verdict.accepted:
        return frozenset()
    return claimed_by(settled.live.get(key))
