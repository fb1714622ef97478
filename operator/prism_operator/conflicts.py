"""Two resources that want the same: a name, a project, a key, the anonymous place of a table.

What is live keeps what it holds. Between two that are not, the older one has it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from prism.resources import PROJECT_POLICY, Claim, Problem, Resource, claims, to_policy
from prism.resources.problem import Finding
from prism_operator.observed import Key

Chosen = Mapping[Key, Resource]
Age = tuple[bool, str, str, str]
"""Sorts those first that have the better right where none is live."""
AgeOf = Callable[[Key], Age]
ClaimId = tuple[str, str]


def name_conflicts(chosen: Chosen, live: Chosen, age: AgeOf) -> dict[Key, list[Problem]]:
    """Names are global to a gateway, whatever the namespace: who may not have theirs, and why."""
    groups: dict[str, list[Key]] = {}
    for key in chosen:
        groups.setdefault(key.label, []).append(key)
    losers: dict[Key, list[Problem]] = {}
    for label, keys in groups.items():
        if len(keys) == 1:
            continue
        first, *rest = sorted(keys, key=lambda key: (key not in live, age(key)))
        message = f"{label} is also defined in namespace {first.namespace}; rename or remove one"
        finding = Finding(("metadata", "name"), message)
        losers.update({key: [chosen[key].problem(finding)] for key in rest})
    return losers


def claim_conflicts(
    chosen: Chosen, live: Chosen, default: str, live_default: str, age: AgeOf
) -> dict[Key, list[Problem]]:
    """Policies that claim what another one holds, and why.

    ``default`` and ``live_default`` name the default table with what was chosen, and with
    what is live.
    """
    policies = sorted((key for key in chosen if key.kind == PROJECT_POLICY), key=age)
    wanted = {key: _claims(chosen[key], default) for key in policies}
    holders: dict[ClaimId, Key] = {}
    for key in policies:
        before = live.get(key)
        held = {_id(claim) for claim in _claims(before, live_default)} if before else set()
        for claim in wanted[key]:
            if _id(claim) in held:
                holders.setdefault(_id(claim), key)
    losers: dict[Key, list[Problem]] = {}
    for key in policies:
        taken = [
            (claim, holder)
            for claim in wanted[key]
            if (holder := holders.get(_id(claim), key)) != key
        ]
        if taken:
            losers[key] = [
                chosen[key].problem(claim.held_by(chosen[holder])) for claim, holder in taken
            ]
        else:
            holders.update(dict.fromkeys(map(_id, wanted[key]), key))
    return losers


def _claims(resource: Resource, default: str) -> Sequence[Claim]:
    return claims(resource, to_policy(resource, default))


def _id(claim: Claim) -> ClaimId:
    return (claim.kind, claim.value)
