"""What goes live of a set of resources, and what each is told."""

from __future__ import annotations

import random
from typing import Any

import pytest

from prism.resources import compile_resources, has_errors
from prism_operator.settlement import Reason, Settlement

from .cluster_state import Document, digest, key, policy, settled, table

BAD = {"project": "acme", "models": {"allowed": ["nonsuch"]}}


def messages(settlement: Settlement, kind: str, name: str, namespace: str = "team") -> str:
    return "\n".join(map(str, settlement.verdicts[key(kind, name, namespace)].problems))


def reason(settlement: Settlement, kind: str, name: str, namespace: str = "team") -> Reason:
    return settlement.verdicts[key(kind, name, namespace)].reason


def live_spec(settlement: Settlement, kind: str, name: str) -> Any:
    resource = settlement.live.get(key(kind, name))
    return None if resource is None else resource.spec


def test_good_resources_go_live_together() -> None:
    found = settled([table(), policy("acme")])
    assert {k.label for k in found.live} == {"RoutingTable/default", "ProjectPolicy/acme"}
    assert all(verdict.accepted for verdict in found.verdicts.values())
    assert found.version


def test_a_bad_resource_is_told_everything_and_the_rest_is_live() -> None:
    bad = {"project": "b a d", "pins": "Perhaps", "defaultMode": "warp"}
    found = settled([table(), policy("good"), policy("bad", bad)])
    assert key("pp", "good") in found.live
    assert key("pp", "bad") not in found.live
    told = messages(found, "pp", "bad")
    assert all(path in told for path in ("spec.project", "spec.pins", "spec.defaultMode"))


def test_the_last_good_version_of_a_bad_resource_stays_live() -> None:
    good = settled([table(), policy("acme", {"models": {"denied": ["large"]}})])
    found = settled([table(), policy("acme", BAD, generation=2)], good)
    assert not found.verdicts[key("pp", "acme")].accepted
    assert live_spec(found, "pp", "acme")["models"]["denied"] == ["large"]
    assert found.version == good.version


def test_a_bad_resource_beside_a_good_change() -> None:
    good = settled([table(), policy("acme"), policy("other")])
    change = policy("other", {"pins": "Denied"}, generation=2)
    found = settled([table(), policy("acme", BAD, generation=2), change], good)
    assert live_spec(found, "pp", "other")["pins"] == "Denied"
    assert live_spec(found, "pp", "acme")["pins"] == "Allowed"


def test_a_table_that_would_break_live_policies_steps_back() -> None:
    acme = policy("acme", {"models": {"allowed": ["large"]}})
    good = settled([table(), acme])
    found = settled([table(models=("small",), generation=2), acme], good)
    assert reason(found, "rt", "default") is Reason.BREAKS_POLICIES
    assert "ProjectPolicy/acme" in messages(found, "rt", "default")
    assert "spec.models.allowed[0]" in messages(found, "rt", "default")
    assert found.verdicts[key("pp", "acme")].accepted
    assert found.version == good.version


def test_a_table_that_steps_back_does_not_hold_up_other_policies() -> None:
    acme = policy("acme", {"models": {"allowed": ["large"]}})
    good = settled([table(), acme])
    change = policy("acme", {"models": {"allowed": ["large"]}, "pins": "Denied"}, generation=2)
    found = settled([table(models=("small",), generation=2), change], good)
    assert reason(found, "rt", "default") is Reason.BREAKS_POLICIES
    assert found.verdicts[key("pp", "acme")].accepted
    assert live_spec(found, "pp", "acme")["pins"] == "Denied"


def test_table_and_policy_may_change_together() -> None:
    good = settled([table(), policy("acme", {"models": {"allowed": ["large"]}})])
    renamed = table(models=("small", "huge"), generation=2)
    change = policy("acme", {"models": {"allowed": ["huge"]}}, generation=2)
    found = settled([renamed, change], good)
    assert all(verdict.accepted for verdict in found.verdicts.values())
    assert live_spec(found, "pp", "acme")["models"]["allowed"] == ["huge"]


def test_a_deleted_table_stays_while_policies_name_it() -> None:
    acme = policy("acme", {"table": "eu"})
    good = settled([table(), table("eu"), acme])
    found = settled([table(), acme], good)
    assert key("rt", "eu") in found.live
    verdict = found.verdicts[key("pp", "acme")]
    assert verdict.accepted
    assert verdict.deleted_table == "eu"
    again = settled([table(), acme], found)
    assert again == found
    freed = settled([table(), policy("acme", generation=2)], found)
    assert key("rt", "eu") not in freed.live


def test_new_policies_cannot_use_a_deleted_table() -> None:
    acme = policy("acme", {"table": "eu"})
    good = settled([table(), table("eu"), acme])
    found = settled([table(), acme, policy("late", {"table": "eu"})], good)
    assert key("pp", "late") not in found.live
    assert "no RoutingTable named" in messages(found, "pp", "late")


def test_the_only_table_stays_when_it_is_deleted() -> None:
    good = settled([table("only"), policy("acme")])
    found = settled([policy("acme")], good)
    assert found.version == good.version
    assert found.verdicts[key("pp", "acme")].deleted_table == "only"


def test_a_deleted_policy_goes() -> None:
    good = settled([table(), policy("acme")])
    assert key("pp", "acme") not in settled([table()], good).live


def test_a_second_table_without_a_default_one_is_refused() -> None:
    good = settled([table("a")])
    found = settled([table("a"), table("b")], good)
    assert found.verdicts[key("rt", "a")].accepted
    assert reason(found, "rt", "b") is Reason.INVALID
    assert "named default" in messages(found, "rt", "b")
    assert found.version == good.version


def test_without_any_table_nothing_is_live() -> None:
    found = settled([policy("acme")])
    assert not found.version
    assert found.withheld == "there is no RoutingTable; add one"
    assert found.verdicts[key("pp", "acme")].accepted


CLAIMS = [
    pytest.param({"project": "same"}, "spec.project", id="project"),
    pytest.param({"apiKeys": [digest("a")]}, "spec.apiKeys[0].sha256", id="key"),
    pytest.param({"anonymous": True}, "spec.anonymous", id="anonymous"),
]


@pytest.mark.parametrize(("claim", "path"), CLAIMS)
def test_the_older_of_two_claimants_wins(claim: dict[str, Any], path: str) -> None:
    older = policy("zoe", claim, created="2026-01-01T00:00:00Z")
    younger = policy("amy", claim, created="2026-01-01T00:00:01Z")
    for documents in ([table(), older, younger], [younger, older, table()]):
        found = settled(documents)
        assert found.verdicts[key("pp", "zoe")].accepted
        assert reason(found, "pp", "amy") is Reason.CONFLICT
        assert f"{path}: " in messages(found, "pp", "amy")
        assert "ProjectPolicy/zoe (namespace team)" in messages(found, "pp", "amy")


def test_of_two_of_the_same_second_the_name_decides() -> None:
    claim, moment = {"project": "same"}, "2026-01-01T00:00:00Z"
    found = settled(
        [table(), policy("b", claim, created=moment), policy("a", claim, created=moment)]
    )
    assert found.verdicts[key("pp", "a")].accepted
    assert not found.verdicts[key("pp", "b")].accepted


@pytest.mark.parametrize(("claim", "path"), CLAIMS)
def test_what_is_live_does_not_lose_its_claims_to_an_older_resource(
    claim: dict[str, Any], path: str
) -> None:
    older = policy("old", created="2026-01-01T00:00:00Z")
    younger = policy("young", claim, created="2026-01-01T00:00:01Z")
    good = settled([table(), older, younger])
    grabbing = policy("old", claim, created="2026-01-01T00:00:00Z", generation=2)
    changed = policy(
        "young", {**claim, "pins": "Denied"}, created="2026-01-01T00:00:01Z", generation=2
    )
    found = settled([table(), grabbing, changed], good)
    assert reason(found, "pp", "old") is Reason.CONFLICT
    assert path in messages(found, "pp", "old")
    assert live_spec(found, "pp", "old")["project"] == "old"
    assert live_spec(found, "pp", "young")["pins"] == "Denied"


def test_a_claim_that_was_given_up_is_free() -> None:
    good = settled([table(), policy("a", {"apiKeys": [digest("a")]}), policy("b")])
    given = policy("a", {"apiKeys": []}, generation=2)
    found = settled([table(), given, policy("b", {"apiKeys": [digest("a")]}, generation=2)], good)
    assert all(verdict.accepted for verdict in found.verdicts.values())


def test_a_claim_given_up_by_a_refused_change_is_not_free() -> None:
    good = settled([table(), policy("a", {"apiKeys": [digest("a")]}), policy("b")])
    given = policy("a", {"apiKeys": [], "pins": "Perhaps"}, generation=2)
    found = settled([table(), given, policy("b", {"apiKeys": [digest("a")]}, generation=2)], good)
    assert reason(found, "pp", "b") is Reason.CONFLICT
    assert live_spec(found, "pp", "a")["apiKeys"][0]["sha256"] == digest("a")["sha256"]


def test_the_third_of_a_chain_is_not_refused_for_the_second() -> None:
    a = policy("a", {"project": "one"}, created="2026-01-01T00:00:00Z")
    b = policy("b", {"project": "one", "apiKeys": [digest("b")]}, created="2026-01-01T00:00:01Z")
    c = policy("c", {"apiKeys": [digest("b")]}, created="2026-01-01T00:00:02Z")
    found = settled([table(), a, b, c])
    assert reason(found, "pp", "b") is Reason.CONFLICT
    assert found.verdicts[key("pp", "c")].accepted


@pytest.mark.parametrize("make", [table, policy])
def test_one_name_in_two_namespaces_is_the_older_ones(make: Any) -> None:
    kind = "rt" if make is table else "pp"
    younger = make("x", created="2026-01-01T00:00:01Z", namespace="a")
    older = make("x", created="2026-01-01T00:00:00Z", namespace="b")
    found = settled([table(), younger, older])
    assert found.verdicts[key(kind, "x", "b")].accepted
    assert reason(found, kind, "x", "a") is Reason.CONFLICT
    assert "namespace b" in messages(found, kind, "x", "a")


def test_a_policy_of_a_refused_table_is_told_so() -> None:
    broken = table("eu")
    broken["spec"]["failureMode"] = "Perhaps"
    found = settled([table(), broken, policy("acme", {"table": "eu"})])
    assert "RoutingTable/eu is refused itself" in messages(found, "pp", "acme")


def test_a_policy_that_was_in_force_is_never_skipped() -> None:
    """The stored snapshot is lost, and a policy that it held has become bad."""
    lost = policy("acme", BAD, generation=2, status={"snapshot": "abc"})
    found = settled([table(), lost, policy("other")])
    assert not found.version
    assert "ProjectPolicy/acme" in found.withheld
    mended = policy("acme", generation=3, status={"snapshot": "abc"})
    assert settled([table(), mended, policy("other")]).version
    assert settled([table(), policy("other")]).version


def test_warnings_do_not_refuse() -> None:
    found = settled([table(), policy("acme")])
    verdict = found.verdicts[key("pp", "acme")]
    assert verdict.accepted
    assert any("no request can belong" in str(problem) for problem in verdict.problems)


def test_two_thousand_policies_broken_by_one_table_settle_in_a_few_rounds() -> None:
    documents = [policy(f"p{i}", {"models": {"denied": ["large"]}}) for i in range(2000)]
    good = settled([table(), *documents])
    found = settled([table(models=("small",), generation=2), *documents], good)
    assert found.version == good.version
    assert len(found.verdicts[key("rt", "default")].problems) >= 2000


def variants(rng: random.Random) -> list[Document]:
    """Some resources, right and wrong, that may claim and name the same things."""
    documents = [
        table(
            name,
            models=rng.choice([("small", "large"), ("small",), ("large", "huge")]),
            generation=rng.randrange(9),
        )
        for name in ("default", "eu", "us")
        if rng.random() < 0.7
    ]
    for name in "abcdef":
        if rng.random() < 0.7:
            spec: dict[str, Any] = {"project": rng.choice([name, "shared"])}
            spec["apiKeys"] = [digest(rng.choice("abc"))] if rng.random() < 0.4 else []
            spec["anonymous"] = rng.random() < 0.2
            if rng.random() < 0.5:
                spec["table"] = rng.choice(["default", "eu", "us"])
            if rng.random() < 0.5:
                spec["models"] = {"denied": [rng.choice(["small", "large", "huge"])]}
            if rng.random() < 0.1:
                spec["pins"] = "Perhaps"
            namespace = rng.choice(["team", "other"])
            documents.append(policy(name, spec, namespace=namespace, generation=rng.randrange(9)))
    return documents


@pytest.mark.parametrize("seed", range(25))
def test_whatever_happens_what_is_live_fits_together_and_no_policy_is_skipped(seed: int) -> None:
    rng = random.Random(seed)
    live = settled([])
    for _ in range(25):
        documents = variants(rng)
        before, live = live, settled(documents, live)
        if not live.live:
            continue
        catalog, problems = compile_resources(live.live.values())
        assert not has_errors(problems), problems
        assert catalog.version == live.version
        if not live.withheld:
            present = {
                key("pp", d["metadata"]["name"], d["metadata"]["namespace"]) for d in documents
            }
            assert {k for k in before.live if k in present} <= live.live.keys()
        assert settled(documents, live).live == live.live, "settling again changes nothing"
        for k, verdict in live.verdicts.items():
            if not verdict.accepted:
                assert any(problem.is_error for problem in verdict.problems), k
