"""The operator on a real API server: what is applied, what goes live, and what it is told."""

from __future__ import annotations

import base64
import json
import random
from array import array
from pathlib import Path
from typing import Any

import pytest
import yaml

from .documents import Document, key, policy, table
from .kube import Kube
from .operating import Operator, Replica, Site, following, polls, replicas

pytestmark = pytest.mark.cluster

TABLE = table()
ACME = policy("acme", models={"denied": ["large"]})
# Right by its schema, but it names a model that the table does not have.
BAD_ACME = policy(
    "acme", models={"denied": ["nonsuch"]}, forced=[{"task": "code", "model": "none"}]
)


@pytest.fixture
def site(kube: Kube, tmp_path: Path) -> Site:
    return Site(kube, tmp_path)


def holds(kind: str, status: str = "True", reason: str = "") -> Any:
    """Whether a condition is so, for ``Site.until``."""

    def check(found: dict[str, Any]) -> bool:
        condition = found.get(kind, {})
        return condition.get("status") == status and reason in ("", condition.get("reason"))

    return check


def events(site: Site, name: str) -> list[tuple[str, str]]:
    """Reason and message of the events about an object, in order."""
    shown = site.kubectl(
        "get", "events", "--field-selector", f"involvedObject.name={name}", "-o", "json"
    )
    items = json.loads(shown)["items"]
    items.sort(key=lambda item: int(item["metadata"]["resourceVersion"]))
    return [(item["reason"], item["message"]) for item in items]


def event(site: Site, name: str, reason: str) -> str:
    """Wait for an event; its message."""
    for _ in polls():
        for found, message in events(site, name):
            if found == reason:
                return message
    raise AssertionError(f"no event {reason} about {name}: {events(site, name)}")


def test_every_namespace_can_be_watched(kube: Kube, tmp_path: Path) -> None:
    # Here what other tests left behind would count.
    kube.kubectl("delete", "rt,pp", "--all", "--all-namespaces")
    site = Site(kube, tmp_path, watched=[])
    elsewhere = kube.namespace()
    project = f"project-{elsewhere}"
    with site.operator() as operator, replicas(site, [operator]) as [replica]:
        site.apply(TABLE)
        document = yaml.safe_dump(policy(project))
        kube.kubectl("apply", "-n", elsewhere, "-f", "-", input=document)
        replica.until(lambda r: f"ProjectPolicy/{project}" in r.resources)
    for namespace in (elsewhere, site.namespace):
        kube.kubectl("delete", "rt,pp", "--all", "-n", namespace)


def test_what_is_applied_is_live_and_says_so(site: Site) -> None:
    with site.operator() as operator, replicas(site, [operator], "gw-0", "gw-1", "gw-2") as three:
        site.apply(TABLE, ACME)
        for replica in three:
            replica.until(lambda r: "ProjectPolicy/acme" in r.resources)
        # Programmed is said as soon as those are that are connected; the number follows.
        status = site.until("pp", "acme", lambda s: s.get("replicas") == "3/3")
        assert status["Programmed"]["status"] == "True"
        assert status["snapshot"] == three[0].live
        assert status["Programmed"]["message"] == f"3/3 replicas at snapshot {three[0].live}."
        site.until("rt", "default", holds("Programmed"))
        shown = site.kubectl("get", "pp", "acme")
        assert {"True", "3/3"} <= set(shown.splitlines()[1].split())
        written = site.kubectl("get", "pp", "acme", "-o", "yaml")
        assert "finalizers" not in written
        assert "kopf" not in written
        assert event(site, "acme", "Programmed").endswith(f"replicas at snapshot {three[0].live}.")


def test_a_bad_change_is_told_everything_and_the_last_good_version_stays(site: Site) -> None:
    with site.operator() as operator, replicas(site, [operator]) as [replica]:
        site.apply(TABLE, ACME)
        first = site.until("pp", "acme", holds("Programmed"))
        site.apply(BAD_ACME, policy("other"))
        status = site.until("pp", "acme", holds("Accepted", "False", "Invalid"))
        paths = {problem["path"] for problem in status["problems"]}
        assert {"spec.models.denied[0]", "spec.forced[0].model"} <= paths
        assert "last good version stays" in status["Programmed"]["message"]
        assert status["snapshot"] == first["snapshot"]
        replica.until(lambda r: "ProjectPolicy/other" in r.resources)
        assert replica.resources["ProjectPolicy/acme"]["models"]["denied"] == ["large"]
        assert "nonsuch" in event(site, "acme", "Invalid")
        site.apply(ACME)
        site.until("pp", "acme", holds("Programmed"))


def test_the_last_good_version_outlives_the_operator(site: Site) -> None:
    with site.operator() as operator, replicas(site, [operator]):
        site.apply(TABLE, ACME)
        site.until("pp", "acme", holds("Programmed"))
        stored(site, "ProjectPolicy/acme")
        operator.kill()
    site.apply(BAD_ACME)
    with site.operator("op-1") as operator, replicas(site, [operator]) as [replica]:
        site.until("pp", "acme", holds("Accepted", "False"))
        replica.until(lambda r: "ProjectPolicy/acme" in r.resources)
        assert replica.resources["ProjectPolicy/acme"]["models"]["denied"] == ["large"]


def stored(site: Site, label: str) -> dict[str, Any]:
    """Wait until a resource is in the stored snapshot; its spec there."""
    import base64

    from prism.wire import snapshot

    for _ in polls():
        shown = site.kubectl("get", "configmap", "prism-snapshot", "-o", "json", check=False)
        if shown:
            content = base64.b64decode(json.loads(shown)["binaryData"]["snapshot.pb.gz"])
            for resource in snapshot.decode(snapshot.unpack(content)):
                if resource.label == label:
                    return dict(resource.spec)
    raise AssertionError(f"{label} is not stored")


def test_a_table_deleted_while_a_policy_names_it_stays_in_force(site: Site) -> None:
    with site.operator() as operator, replicas(site, [operator]) as [replica]:
        site.apply(TABLE, table("eu"), policy("acme", table="eu"))
        site.until("pp", "acme", holds("Programmed"))
        site.kubectl("delete", "rt", "eu")
        status = site.until("pp", "acme", holds("Programmed", "False", "TableDeleted"))
        assert status["Accepted"]["status"] == "True"
        assert "RoutingTable/eu was deleted" in status["Programmed"]["message"]
        assert "RoutingTable/eu" in replica.resources
        event(site, "acme", "TableDeleted")
        site.apply(table("eu"))
        site.until("pp", "acme", holds("Programmed"))


def test_of_two_that_claim_a_key_the_older_one_has_it(site: Site) -> None:
    with site.operator() as operator, replicas(site, [operator]) as [replica]:
        site.apply(TABLE, policy("zoe", apiKeys=[key("a")]))
        site.until("pp", "zoe", holds("Programmed"))
        site.apply(policy("amy", apiKeys=[key("b"), key("a")]))
        status = site.until("pp", "amy", holds("Accepted", "False", "Conflict"))
        [problem] = [p for p in status["problems"] if p["severity"] == "error"]
        assert problem["path"] == "spec.apiKeys[1].sha256"
        assert f"ProjectPolicy/zoe (namespace {site.namespace})" in problem["message"]
        assert key("a")["sha256"] not in yaml.safe_dump(status)
        assert "ProjectPolicy/amy" not in replica.resources
        site.kubectl("delete", "pp", "zoe")
        site.until("pp", "amy", holds("Programmed"))


def test_a_refusal_by_one_replica_is_told_and_the_others_go_on(site: Site) -> None:
    grumpy = Replica("gw-1", lambda labels: "no room" if "ProjectPolicy/acme" in labels else "")
    good = Replica("gw-0")
    with site.operator() as operator, following(site, [operator], good, grumpy):
        site.apply(TABLE)
        site.until("rt", "default", holds("Programmed"))
        site.apply(ACME)
        good.until(lambda r: "ProjectPolicy/acme" in r.resources)
        status = site.until("pp", "acme", holds("Programmed", "False", "Refused"))
        assert "gw-1: no room" in status["Programmed"]["message"]
        assert status["replicas"] == "1/2"
        # The table became Programmed with whichever of the two was there first.
        table = site.until("rt", "default", lambda s: s.get("replicas") == "2/2")
        assert table["Programmed"]["status"] == "True"
        event(site, "acme", "Refused")


def test_without_replicas_the_status_says_so(site: Site) -> None:
    with site.operator():
        site.apply(TABLE)
        status = site.until("rt", "default", holds("Programmed", "Unknown", "NoReplicas"))
        assert status["Accepted"]["status"] == "True"


def test_replicas_that_come_and_go_are_counted(site: Site) -> None:
    with site.operator() as operator:
        with replicas(site, [operator], "gw-0", "gw-1"):
            site.apply(TABLE)
            site.until("rt", "default", lambda s: s.get("replicas") == "2/2")
        with replicas(site, [operator], "gw-2"):
            site.until("rt", "default", lambda s: s.get("replicas") == "1/1")
            assert site.until("rt", "default", holds("Programmed"))


def test_nothing_is_written_while_nothing_changes(site: Site) -> None:
    with site.operator() as operator, replicas(site, [operator]):
        site.apply(TABLE, ACME)
        site.until("pp", "acme", holds("Programmed"))
        site.until("rt", "default", holds("Programmed"))
        event(site, "acme", "Programmed")  # posted after the status
        before = [version(site, "pp", "acme"), len(events(site, "acme"))]
        for number in range(5):
            site.apply(policy("other", pins="Allowed" if number % 2 else "Denied"))
            site.until("pp", "other", holds("Programmed"))
        assert [version(site, "pp", "acme"), len(events(site, "acme"))] == before


def version(site: Site, kind: str, name: str) -> str:
    return site.kubectl("get", kind, name, "-o", "jsonpath={.metadata.resourceVersion}")


def test_a_burst_of_policies_is_handed_out_a_few_times_only(site: Site) -> None:
    with site.operator() as operator, replicas(site, [operator]) as [replica]:
        site.apply(TABLE)
        replica.until(lambda r: bool(r.live))
        many = [policy(f"p-{number}") for number in range(150)]
        site.kubectl("create", "-f", "-", given=yaml.safe_dump_all(many))
        replica.until(lambda r: len(r.resources) == 151)
        assert len(replica.versions) < 150, "not one for each, however slowly they come"
        site.until("pp", "p-149", holds("Programmed"))


def test_the_operator_cannot_read_secrets(site: Site) -> None:
    for verb in ("get", "list", "watch"):
        for where in (["-n", site.namespace], ["--all-namespaces"]):
            asked = ["auth", "can-i", verb, "secrets", *where]
            answer = site.kube.kubectl(*asked, kubeconfig=site.kubeconfig, check=False)
            assert answer.stdout.strip() == "no"


MEBIBYTE = 1024 * 1024


def large(name: str, models: int) -> Document:
    """A table with a predictor, whose weights don't compress; so many models make it large."""
    made = table(name, [f"m{number}" for number in range(models)])
    noise = random.Random(models)
    weights = [array("h", (noise.randrange(2**14) for _ in range(3000))) for _ in range(models)]
    made["spec"]["predictor"] = {
        "classifier": "0" * 64,
        "trade": {"eco": 0.5, "balanced": 0.1, "sport": 0.01},
        "models": [
            {"name": f"m{number}", "weights": base64.b64encode(row.tobytes()).decode()}
            for number, row in enumerate(weights)
        ],
    }
    made["spec"]["cells"] = {
        task: {mode: ["m0", "m1"] for mode in modes}
        for task, modes in made["spec"]["cells"].items()
    }
    return made


def test_a_table_of_a_mebibyte_goes_live_and_a_larger_one_is_refused(site: Site) -> None:
    whole, more = large("default", 130), large("more", 220)
    assert len(json.dumps(whole)) > MEBIBYTE
    with site.operator() as operator, replicas(site, [operator]) as [replica]:
        # A plain kubectl apply would keep all of it a second time, as an annotation.
        with pytest.raises(AssertionError, match=r"annotations: Too long"):
            site.kubectl("apply", "-f", "-", given=json.dumps(whole))
        apply = ("apply", "--server-side", "-f", "-")
        site.kubectl(*apply, given=json.dumps(whole))
        replica.until(lambda r: bool(r.live))
        site.until("rt", "default", holds("Programmed"))
        # More than etcd takes: the API server says so, and what is live stays.
        with pytest.raises(AssertionError, match="too large"):
            site.kubectl(*apply, given=json.dumps(more))
        site.apply(policy("acme"))
        site.until("pp", "acme", holds("Programmed"))


def operator_metrics(operator: Operator) -> str:
    import urllib.request

    url = f"http://127.0.0.1:{operator.port('health')}/metrics"
    with urllib.request.urlopen(url) as answer:
        return str(answer.read().decode())


def test_metrics_and_health_tell_what_is_going_on(site: Site) -> None:
    with site.operator() as operator, replicas(site, [operator]):
        site.apply(TABLE, BAD_ACME)
        site.until("pp", "acme", holds("Accepted", "False"))
        site.until("rt", "default", holds("Programmed"))
        text = operator_metrics(operator)
        assert 'prism_operator_resources{accepted="false",kind="ProjectPolicy"} 1.0' in text
        assert 'prism_operator_replicas{state="current"} 1.0' in text
        assert "prism_operator_leader 1.0" in text
