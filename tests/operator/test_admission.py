"""The webhook's verdict is the one that the status would show."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from prism_operator.admission import review
from prism_operator.observed import Key
from prism_operator.settlement import Settlement

from .cluster_state import Document, digest, observed, policy, settled, table
from .test_settle import variants
from .test_settle_candidate import with_candidates

Make = Callable[[random.Random], list[Document]]


def reviewed(document: Document, there: list[Document], live: Settlement | None = None) -> bool:
    before = settled(there, live)
    return review(document, observed(there), before).allowed


def test_a_policy_beside_its_table() -> None:
    assert reviewed(policy("acme"), [table()])
    assert not reviewed(policy("acme", {"table": "eu"}), [table()])
    assert reviewed(policy("acme"), []), "the table may come later"


def test_what_is_refused_by_itself_needs_no_neighbours() -> None:
    found = review(policy("a", {"pins": "Perhaps", "project": "b a d"}), [], settled([]))
    assert not found.allowed
    assert {problem.path for problem in found.problems} >= {"spec.pins", "spec.project"}


def test_what_is_new_is_younger_than_everything() -> None:
    there = [table(), policy("old", {"apiKeys": [digest("a")]}, created="2999-01-01T00:00:00Z")]
    assert not reviewed(policy("new", {"apiKeys": [digest("a")]}), there)


def test_a_claim_of_a_last_good_version_counts() -> None:
    good = settled([table(), policy("old", {"apiKeys": [digest("a")]})])
    there = [table(), policy("old", {"pins": "Perhaps"}, generation=2)]
    assert not reviewed(policy("new", {"apiKeys": [digest("a")]}), there, good)


def test_a_change_of_a_live_policy_keeps_its_claims() -> None:
    claim = {"apiKeys": [digest("a")]}
    there = [table(), policy("live", claim)]
    assert reviewed(policy("live", {**claim, "pins": "Denied"}, generation=2), there)


def test_a_table_is_judged_by_the_policies_that_use_it() -> None:
    there = [table(), policy("acme", {"models": {"allowed": ["large"]}})]
    assert not reviewed(table(models=("small",), generation=2), there)
    assert reviewed(table(models=("small", "large", "huge"), generation=2), there)


def test_a_claim_that_its_claimant_loses_to_another_is_free() -> None:
    """The first holds what the second wants as well, so the second does not go live, and the
    third may have what only the second claims besides."""
    first, both = {"project": "one"}, {"project": "one", "apiKeys": [digest("b")]}
    there = [
        table(),
        policy("first", first, created="2026-01-01T00:00:00Z"),
        policy("second", both, created="2026-01-01T00:00:01Z"),
    ]
    assert reviewed(policy("third", {"apiKeys": [digest("b")]}), there)


def test_a_table_that_another_policy_holds_back_is_judged_as_it_is_live() -> None:
    good = settled([table(), policy("other", {"models": {"allowed": ["large"]}})])
    there = [
        table(models=("small", "huge"), generation=2),
        policy("other", {"models": {"allowed": ["large"]}}),
    ]
    assert not reviewed(policy("acme", {"models": {"allowed": ["huge"]}}), there, good)
    assert reviewed(policy("acme", {"models": {"allowed": ["small"]}}), there, good)


@pytest.mark.parametrize("make", [variants, with_candidates])
@pytest.mark.parametrize("seed", [*range(30), 33, 65, 71, 79, 87])
def test_the_verdict_is_that_of_the_status(seed: int, make: Make) -> None:
    rng = random.Random(seed)
    live, there = settled([]), list[Document]()
    for turn in range(10):
        there = make(rng) if turn % 2 == 0 else [*tables(there), *policies(make(rng))]
        live = settled(there, live)
        asked = rng.choice(make(rng) or [table()])
        others = [one for one in there if identity(one) != identity(asked)]
        before = [one for one in there if identity(one) == identity(asked)]
        created = before[0]["metadata"]["creationTimestamp"] if before else "9999"
        asked["metadata"] |= {"generation": 99, "creationTimestamp": created}
        found = review(asked, observed(there), live)
        after = settled([*others, asked], live).verdicts[identity(asked)]
        assert found.allowed == after.accepted, (found, after)


def identity(document: Document) -> Key:
    metadata = document["metadata"]
    return Key(document["kind"], metadata["namespace"], metadata["name"])


def tables(documents: list[Document]) -> list[Document]:
    return [one for one in documents if one["kind"] == "RoutingTable"]


def policies(documents: list[Document]) -> list[Document]:
    return [one for one in documents if one["kind"] == "ProjectPolicy"]
