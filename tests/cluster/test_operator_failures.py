"""What must happen when something goes wrong around the operator."""

from __future__ import annotations

import base64
import json
import secrets
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml

from .documents import policy, table
from .kube import Kube
from .operating import Replica, Site, following, polls, replicas
from .test_operator import BAD_ACME, event, holds, stored

pytestmark = pytest.mark.cluster

TABLE = table()
ACME = policy("acme", models={"denied": ["large"]})


@pytest.fixture
def site(kube: Kube, tmp_path: Path) -> Site:
    return Site(kube, tmp_path)


def has(label: str) -> Any:
    return lambda replica: label in replica.resources


def test_another_operator_takes_over_at_once_when_one_is_stopped(site: Site) -> None:
    with site.operator("op-0") as first:
        first.leads()
        with site.operator("op-1") as second, replicas(site, [first, second]) as [replica]:
            site.apply(TABLE, ACME)
            site.until("pp", "acme", holds("Programmed"))
            first.stop()
            first.logged("op-0 gave the lease back")
            second.leads()
            site.apply(policy("late"))
            replica.until(has("ProjectPolicy/late"))
            site.until("pp", "late", holds("Programmed"))


def test_another_operator_takes_over_within_seconds_when_one_is_killed(site: Site) -> None:
    with site.operator("op-0") as first:
        first.leads()
        with site.operator("op-1") as second, replicas(site, [first, second]) as [replica]:
            site.apply(TABLE, ACME)
            site.until("pp", "acme", holds("Programmed"))
            before = replica.live
            first.kill()
            site.apply(policy("late"))
            second.leads()
            replica.until(has("ProjectPolicy/late"))
            site.until("pp", "late", holds("Programmed"))
            assert replica.versions[-1] != before
            status = site.until("pp", "acme", holds("Programmed"))
            assert status["snapshot"] == before, "the other policy's status was left alone"


def test_only_one_of_two_operators_acts(site: Site) -> None:
    with site.operator("op-0") as first:
        first.leads()
        with site.operator("op-1") as second, replicas(site, [second]) as [stranded]:
            with replicas(site, [first]) as [replica]:
                site.apply(TABLE)
                replica.until(has("RoutingTable/default"))
                site.until("rt", "default", lambda s: s.get("replicas") == "1/1")
            assert not stranded.versions
            assert not any("leads" in line for line in second.lines)


def test_an_operator_whose_clock_is_far_off_waits_its_turn(site: Site) -> None:
    """What counts is that the lease changes, not which time it says."""
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "prism-operator"},
        "spec": {
            "holderIdentity": "from-the-past",
            "leaseDurationSeconds": 10,
            "renewTime": "2001-01-01T00:00:00.000000Z",
        },
    }
    site.apply(lease)
    with site.operator() as operator:
        begun, number = time.monotonic(), 0
        while time.monotonic() < begun + 15:  # longer than the lease would last by itself
            number += 1
            lease["spec"]["renewTime"] = f"2001-01-01T00:00:{number:02}.000000Z"  # type: ignore[index]
            site.apply(lease)
            assert operator.process.poll() is None
            time.sleep(1)  # the holder renews once a second; this is the passing of time itself
        assert not any(line.endswith("op-0 leads") for line in operator.lines)
        operator.leads()


def test_a_restart_of_the_api_server_is_survived(site: Site, kube: Kube) -> None:
    with site.operator() as operator, replicas(site, [operator]) as [replica]:
        site.apply(TABLE, ACME, policy("gone"))
        site.until("pp", "acme", holds("Programmed"))
        kube.crash_api()
        try:
            operator.logged("leads no more")
        finally:
            kube.restart_api()
        site.apply(policy("late"))
        site.kubectl("delete", "pp", "gone")
        replica.until(has("ProjectPolicy/late"))
        replica.until(lambda r: "ProjectPolicy/gone" not in r.resources)
        site.until("pp", "late", holds("Programmed"))
        assert operator.process.poll() is None


def test_what_is_deleted_while_the_operator_is_away_goes(site: Site) -> None:
    with site.operator() as operator, replicas(site, [operator]):
        site.apply(TABLE, ACME, policy("gone"))
        stored(site, "ProjectPolicy/gone")
        operator.kill()
    site.kubectl("delete", "pp", "gone")
    with site.operator() as operator, replicas(site, [operator]) as [replica]:
        replica.until(has("ProjectPolicy/acme"))
        assert "ProjectPolicy/gone" not in replica.resources


def test_an_operator_killed_among_its_writes_leaves_nothing_half_done(site: Site) -> None:
    many = [policy(f"p-{number}") for number in range(200)]
    with site.operator() as operator, replicas(site, [operator]) as [replica]:
        site.apply(TABLE)
        replica.until(has("RoutingTable/default"))
        site.kubectl("create", "-f", "-", given=yaml.safe_dump_all(many))
        written = "{.items[*].status.observedGeneration}"
        for _ in polls():
            if 0 < len(site.kubectl("get", "pp", "-o", f"jsonpath={written}").split()) < 200:
                break
            if len(replica.resources) == 201:
                break
        operator.kill()
    with site.operator("op-1") as operator, replicas(site, [operator]) as [replica]:
        replica.until(lambda r: len(r.resources) == 201)
        for _ in polls():
            if len(site.kubectl("get", "pp", "-o", f"jsonpath={written}").split()) == 200:
                break
        else:
            raise AssertionError("some policies have no status")
        for number in range(0, 200, 20):
            site.until("pp", f"p-{number}", holds("Programmed"))
        assert stored(site, "ProjectPolicy/p-199")


def damaged(content: bytes) -> dict[str, str]:
    return {"snapshot.pb.gz": base64.b64encode(content).decode()}


@pytest.mark.parametrize("content", [b"rubbish", b""], ids=["rubbish", "empty"])
def test_a_damaged_stored_snapshot_is_made_anew(site: Site, content: bytes) -> None:
    site.apply(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "prism-snapshot"},
            "binaryData": damaged(content),
        }
    )
    site.apply(TABLE)
    with site.operator() as operator, replicas(site, [operator]) as [replica]:
        replica.until(has("RoutingTable/default"))
        if content:
            assert "made anew" in event(site, "prism-snapshot", "SnapshotDamaged")
        for _ in polls():
            shown = json.loads(site.kubectl("get", "configmap", "prism-snapshot", "-o", "json"))
            if shown["binaryData"] != damaged(content):
                break
        assert stored(site, "RoutingTable/default")


def test_a_stored_snapshot_that_is_deleted_comes_back_with_the_next_change(site: Site) -> None:
    with site.operator() as operator, replicas(site, [operator]) as [replica]:
        site.apply(TABLE)
        stored(site, "RoutingTable/default")
        site.kubectl("delete", "configmap", "prism-snapshot")
        site.apply(ACME)
        replica.until(has("ProjectPolicy/acme"))
        assert stored(site, "ProjectPolicy/acme")


def test_a_policy_in_force_is_not_skipped_when_the_stored_snapshot_is_lost(site: Site) -> None:
    with site.operator() as operator, replicas(site, [operator]) as [replica]:
        site.apply(TABLE, ACME)
        site.until("pp", "acme", holds("Programmed"))
        stored(site, "ProjectPolicy/acme")
        operator.kill()
    site.kubectl("delete", "configmap", "prism-snapshot")
    site.apply(BAD_ACME)
    follower = Replica("gw-0")
    follower.live, follower.resources = replica.live, replica.resources
    with site.operator("op-1") as operator, following(site, [operator], follower):
        site.apply(policy("other"))
        status = site.until("pp", "other", holds("Programmed", "False", "Withheld"))
        assert "ProjectPolicy/acme" in status["Programmed"]["message"]
        assert not follower.versions, "the replica goes on with what it has"
        site.apply(ACME)
        follower.until(has("ProjectPolicy/other"))


def test_a_snapshot_too_large_to_be_stored_is_still_handed_out(site: Site) -> None:
    # Hashes do not compress: 64 keys a policy come to about 4 KiB of each.
    many = [
        policy(f"p-{n}", apiKeys=[{"sha256": secrets.token_hex(32)} for _ in range(64)])
        for n in range(500)
    ]
    with site.operator() as operator, replicas(site, [operator]) as [replica]:
        site.apply(TABLE)
        site.kubectl("create", "-f", "-", given="\n---\n".join(map(json.dumps, many)))
        replica.until(lambda r: len(r.resources) == 501)
        assert "a ConfigMap takes" in event(site, "prism-snapshot", "SnapshotTooLarge")
        site.until("pp", "p-0", holds("Programmed"))


def test_without_a_cluster_the_operator_says_why(tmp_path: Path) -> None:
    import os
    import subprocess
    import sys

    environment = {**os.environ, "KUBECONFIG": str(tmp_path / "none")}
    command = [
        sys.executable,
        "-m",
        "prism_operator",
        "run",
        "--all-namespaces",
        "--tls",
        str(tmp_path),
    ]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "no way to a Kubernetes API server" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_operator_without_rights_says_so_and_goes_on_once_it_has_them(site: Site) -> None:
    """No crash loop: whoever installs gets RBAC right while it runs."""
    name = f"prism-of-{site.namespace}"
    bound = yaml.safe_load(site.kubectl("get", "rolebinding", name, "-o", "yaml"))
    site.kubectl("delete", "rolebinding", name)
    site.apply(TABLE, ACME)
    with site.operator() as operator, replicas(site, [operator]) as [replica]:
        operator.logged("cannot be listed: no right to list them")
        assert operator.process.poll() is None
        with pytest.raises(urllib.error.HTTPError, match="503"):
            urllib.request.urlopen(f"http://127.0.0.1:{operator.port('health')}/readyz")
        assert not replica.live
        parts = {part: bound[part] for part in ("apiVersion", "kind", "roleRef", "subjects")}
        site.apply({**parts, "metadata": {"name": name}})
        replica.until(has("ProjectPolicy/acme"))
        site.until("pp", "acme", holds("Programmed"))


def test_the_status_says_what_a_snapshot_is_waiting_for(site: Site) -> None:
    """A replica that has not answered is not counted, and is named."""
    site.apply(TABLE)
    with site.operator() as operator:
        mute = Mute("gw-9")
        with following(site, [operator], mute):
            status = site.until("rt", "default", holds("Programmed", "False", "Pending"))
            assert "waiting for gw-9" in status["Programmed"]["message"]
            assert status["replicas"] == "0/1"


class Mute(Replica):
    """Takes a snapshot and never answers."""

    async def _answer(self, call: Any, sent: Any) -> None:
        self._take(sent)
