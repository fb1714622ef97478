"""The webhook's verdict is the one that the status would show."""

from __future__ import annotations

import random

import pytest

from prism_operator.admission import review
from prism_operator.settlement import Settlement

from .cluster_state import Document, digest, observed, policy, settled, table
from .test_settle import variants


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


@pytest.mark.parametrize("seed", range(15))
def test_the_verdict_is_that_of_the_status(seed: int) -> None:
    rng = random.Random(seed)
    live = settled([])
    for _ in range(10):
        there = variants(rng)
        live = settled(there, live)
        asked = rng.choice(variants(rng) or [table()])
        name = (asked["kind"], asked["metadata"]["namespace"], asked["metadata"]["name"])
        others = [
            d
            for d in there
            if (d["kind"], d["metadata"]["namespace"], d["metadata"]["name"]) != name
        ]
        known = [d for d in there if d not in others]
        asked["metadata"]["generation"] = 99
        created = known[0]["metadata"]["creationTimestamp"] if known else "9999"
        asked["metadata"]["creationTimestamp"] = created
        found = review(asked, observed(there), live)
        after = settled([*others, asked], live)
        [key] = [k for k in after.verdicts if tuple(k) == name]
        if after.withheld and not found.allowed:
            continue
        assert found.allowed == after.verdicts[key].accepted, (found, after.verdicts[key])
