"""What goes live of tables that name a candidate."""

from __future__ import annotations

import random
from typing import Any

import pytest

from prism.resources import compile_resources, has_errors
from prism_operator.observed import Key
from prism_operator.settlement import Reason, Settlement

from .cluster_state import Document, key, policy, settled, table
from .test_settle import live_spec, messages, reason, variants


def tried(name: str = "next", **more: Any) -> Document:
    """The default table, which names a candidate."""
    made = table(**more)
    made["spec"]["candidate"] = {"table": name, "percent": 10}
    return made


def test_a_table_and_its_candidate_go_live_together() -> None:
    found = settled([tried(), table("next")])
    assert all(verdict.accepted for verdict in found.verdicts.values())
    assert len(found.live) == 2


def test_a_missing_candidate_is_a_problem_and_the_last_good_version_stays() -> None:
    good = settled([table()])
    found = settled([tried(generation=2)], good)
    assert reason(found, "rt", "default") is Reason.INVALID
    assert 'spec.candidate.table: no RoutingTable named "next"' in messages(found, "rt", "default")
    assert found.version == good.version
    assert "candidate" not in live_spec(found, "rt", "default")


def test_a_refused_candidate_is_said_to_be_that() -> None:
    bad = table("next")
    bad["spec"]["defaultMode"] = "warp"
    found = settled([table(), policy("acme")], settled([table()]))
    found = settled([tried(generation=2), bad, policy("acme")], found)
    assert "RoutingTable/next is refused itself" in messages(found, "rt", "default")
    assert found.verdicts[key("pp", "acme")].accepted


def test_a_deleted_candidate_stays_while_a_table_names_it() -> None:
    good = settled([tried(), table("next"), policy("acme")])
    found = settled([tried(), policy("acme")], good)
    assert found.live == good.live
    assert found.verdicts[key("rt", "default")].deleted_table == "next"
    assert found.verdicts[key("pp", "acme")].deleted_table == ""
    again = settled([tried(), policy("acme")], found)
    assert again == found
    freed = settled([table(generation=2), policy("acme")], found)
    assert key("rt", "next") not in freed.live


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"candidate": {"table": "other"}}, "candidates don't chain"),
        (
            {"providers": [{"name": "p", "baseURL": "https://elsewhere.test/v1"}]},
            "at another address",
        ),
    ],
)
def test_a_candidate_that_no_longer_fits_steps_back(change: dict[str, Any], says: str) -> None:
    good = settled([tried(), table("next"), table("other")])
    changed = table("next", generation=2)
    changed["spec"] |= change
    found = settled([tried(), changed, table("other")], good)
    assert reason(found, "rt", "next") is Reason.BREAKS_TABLES
    assert "RoutingTable/default, which is live, would be wrong with it" in messages(
        found, "rt", "next"
    )
    assert says in messages(found, "rt", "next")
    assert found.verdicts[key("rt", "default")].accepted
    assert found.version == good.version


def test_a_policy_may_deny_what_only_the_candidate_has() -> None:
    denying = policy("acme", {"models": {"denied": ["huge"]}})
    good = settled([tried(), table("next", models=("small", "huge")), denying])
    assert found_all(good)
    shrunk = table("next", generation=2)
    found = settled([tried(), shrunk, denying], good)
    assert reason(found, "rt", "next") is Reason.BREAKS_POLICIES
    assert "ProjectPolicy/acme" in messages(found, "rt", "next")
    assert found.version == good.version


def found_all(settlement: Settlement) -> bool:
    return all(verdict.accepted for verdict in settlement.verdicts.values())


def with_candidates(rng: random.Random) -> list[Document]:
    """Resources as in ``variants``, of which tables may name each other."""
    documents = variants(rng)
    for one in documents:
        if one["kind"] != "RoutingTable":
            continue
        if rng.random() < 0.4:
            one["spec"]["candidate"] = {"table": rng.choice(["default", "eu", "us"])}
        if rng.random() < 0.2:
            one["spec"]["providers"] = [{"name": "p", "baseURL": "https://other.test/v1"}]
    return documents


@pytest.mark.parametrize("seed", range(15))
def test_whatever_happens_what_is_live_fits_together_and_nothing_is_skipped(seed: int) -> None:
    rng = random.Random(seed)
    live = settled([])
    for _ in range(25):
        documents = with_candidates(rng)
        before, live = live, settled(documents, live)
        if not live.live:
            continue
        assert not has_errors(compile_resources(live.live.values())[1])
        present = {
            Key(d["kind"], d["metadata"]["namespace"], d["metadata"]["name"]) for d in documents
        }
        if not live.withheld:
            assert {k for k in before.live if k in present} <= live.live.keys()
        assert settled(documents, live).live == live.live, "settling again changes nothing"
