"""A gateway that is steered by an operator: real Envoy, real TLS, a stand-in for the operator."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from prism.config.v1.snapshot_pb2 import Snapshot
from prism.providers import SimulatedProviders
from prism.wire import snapshot

from . import config
from .certificates import Authority
from .conftest import urls
from .replica import Replica
from .running import free_port, until
from .standin import StandIn, encoded

MODELS = {"simple": "euro", "code": "coder", "reasoning": "thinker", "complex": "giant"}


def everywhere(model: str) -> dict[str, dict[str, list[str]]]:
    """Cells that send every task to one model."""
    return {task: {mode: [model] for mode in ("eco", "balanced", "sport")} for task in MODELS}


class Cluster:
    """A stand-in operator and the replicas of one test."""

    def __init__(self, folder: Path, providers: SimulatedProviders) -> None:
        self.folder = folder
        self.authority = Authority()
        self.tls = self.authority.issue(folder / "tls", "prism-extproc")
        self._server = self.authority.issue(folder / "server", "prism-operator")
        self.port = free_port()
        self.stored = folder / "stored" / "snapshot.pb.gz"
        self.stored.parent.mkdir()
        self.urls = urls(providers)
        self.replicas: list[Replica] = []
        self.operator: StandIn | None = None

    def snapshot(self, model: str, **spec: Any) -> bytes:
        """A snapshot that sends everything to ``model``."""
        table = config.table(self.urls, cells=everywhere(model), **spec)
        return encoded([table, *config.policies()[:1]])

    def start_operator(self) -> StandIn:
        """Start the operator at the address that replicas know."""
        self.operator = StandIn(self._server, self.port)
        return self.operator

    def replica(self, name: str = "gateway-1") -> Replica:
        """Start a replica; it may take long to be ready."""
        stored = ["--stored-snapshot", str(self.stored)]
        made = Replica(name, self.folder / name, [self.port], self.tls, config.KEYS, *stored)
        self.replicas.append(made)
        return made.start()

    def store(self, encoded: bytes, *, written: float | None = None) -> str:
        """Store a snapshot as the operator does; ``written`` sets the file's time."""
        self.stored.write_bytes(snapshot.pack(encoded))
        if written is not None:
            os.utime(self.stored, (written, written))
        version: str = Snapshot.FromString(encoded).version
        return version

    def end(self) -> None:
        for replica in self.replicas:
            replica.stop()
        if self.operator is not None:
            self.operator.stop()


@pytest.fixture
def cluster(
    providers: SimulatedProviders, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    made = Cluster(tmp_path_factory.mktemp("c"), providers)
    yield made
    made.end()


def ask(replica: Replica) -> httpx.Response:
    return replica.ask(config.CLIENT_KEY)


def model_of(replica: Replica) -> str:
    answer = ask(replica)
    assert answer.status_code == 200, answer.text
    return answer.headers["x-prism-model"]


def test_a_snapshot_is_live_before_it_is_acknowledged(cluster: Cluster) -> None:
    operator = cluster.start_operator()
    version = operator.offer(cluster.snapshot("euro"))
    replica = cluster.replica().until_ready()
    until(lambda: operator.answers(version) == [""], "the ACK")
    assert model_of(replica) == "euro"
    status = replica.status()
    assert (status["planVersion"], status["source"]) == (version, "operator")
    assert status["replica"] == "gateway-1"
    assert status["operator"]["connected"] is True
    assert "envoy_cluster_upstream_cx_total" in httpx.get(f"{replica.admin}/envoy/metrics").text
    # A change: the first request after the ACK goes the new way.
    version = operator.offer(cluster.snapshot("thinker"))
    until(lambda: operator.answers(version) == [""], "the ACK")
    assert model_of(replica) == "thinker"


def test_changes_under_load_lose_no_request(cluster: Cluster) -> None:
    operator = cluster.start_operator()
    operator.offer(cluster.snapshot("euro"))
    replica = cluster.replica().until_ready()
    over = threading.Event()
    statuses: list[int] = []

    def load() -> None:
        while not over.is_set():
            statuses.append(ask(replica).status_code)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for round_ in range(10):
            model = "thinker" if round_ % 2 else "coder"
            # Another upstream path each time: new clusters, and old ones that retire.
            data = cluster.snapshot(model, autoNames=["auto", f"auto-{round_}"])
            version = operator.offer(data)
            until(lambda v=version: operator.answers(v) == [""], "the ACK")
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert len(statuses) > 10
    assert set(statuses) == {200}


def test_what_cannot_be_used_is_refused_and_the_last_stays(cluster: Cluster) -> None:
    operator = cluster.start_operator()
    version = operator.offer(cluster.snapshot("euro"))
    replica = cluster.replica().until_ready()
    damaged = Snapshot.FromString(cluster.snapshot("coder"))
    damaged.resources[0].spec_json = damaged.resources[0].spec_json.replace(b"coder", b"giant")
    operator.offer(damaged)
    until(lambda: operator.answers(damaged.version), "the refusal of the damaged one")
    assert "does not hold what its generation says" in operator.answers(damaged.version)[0]
    # Every problem is named.
    unknown = [
        config.document("ProjectPolicy", name, {"project": name, "table": "nowhere"})
        for name in ("one", "two")
    ]
    broken = operator.offer(encoded([config.table(cluster.urls), *unknown]))
    until(lambda: operator.answers(broken), "the refusal of the broken one")
    refusal = operator.answers(broken)[0]
    assert "ProjectPolicy/one" in refusal
    assert "ProjectPolicy/two" in refusal
    assert replica.status()["planVersion"] == version
    assert len(replica.status()["problems"]) == 2
    assert model_of(replica) == "euro"
    mended = operator.offer(cluster.snapshot("thinker"))
    replica.until_live(mended)
    assert replica.status()["problems"] == []


def test_the_gateway_goes_on_while_the_operator_is_away(cluster: Cluster) -> None:
    operator = cluster.start_operator()
    replica = cluster.replica()
    version = operator.offer(cluster.snapshot("euro"))
    replica.until_live(version)
    operator.stop()
    until(lambda: not replica.status()["operator"]["connected"], "the loss to be noticed")
    assert model_of(replica) == "euro"
    assert replica.ready()
    # Killed meanwhile, it starts with what it had.
    replica.kill("prism")
    replica.start_prism()
    replica.until_live(version)
    assert replica.status()["source"] == "last good"
    assert model_of(replica) == "euro"
    # And the operator is found when it is back.
    version = cluster.start_operator().offer(cluster.snapshot("coder"))
    replica.until_live(version)
    assert model_of(replica) == "coder"


def test_a_start_without_the_operator_takes_the_stored_snapshot(cluster: Cluster) -> None:
    version = cluster.store(cluster.snapshot("euro"))
    replica = cluster.replica().until_live(version)
    assert replica.status()["source"] == "stored snapshot"
    assert model_of(replica) == "euro"


@pytest.mark.parametrize(("age", "source"), [(-3600, "last good"), (3600, "stored snapshot")])
def test_the_newer_of_two_kept_snapshots_is_used(cluster: Cluster, age: int, source: str) -> None:
    operator = cluster.start_operator()
    kept = operator.offer(cluster.snapshot("euro"))
    replica = cluster.replica().until_live(kept)
    last_good = replica.folder / "state" / "operator-gateway-1.snapshot"
    until(last_good.is_file, "what is live to be kept")
    operator.stop()
    replica.kill("prism")
    stored = cluster.store(cluster.snapshot("coder"), written=last_good.stat().st_mtime + age)
    replica.start_prism()
    replica.until_live(kept if source == "last good" else stored)
    assert replica.status()["source"] == source


def test_damaged_files_are_skipped_and_nothing_at_all_is_not_ready(cluster: Cluster) -> None:
    packed = snapshot.pack(cluster.snapshot("euro"))
    cluster.stored.write_bytes(packed[:-20] + bytes(20))
    state = cluster.folder / "gateway-1" / "state"
    state.mkdir(parents=True)
    (state / "operator-gateway-1.snapshot").write_bytes(b"not a snapshot")
    replica = cluster.replica()
    until(lambda: replica.log.read_text().count("can't be used") == 2, "both to be looked at")
    health = replica.get("/healthz")
    assert health is not None
    assert health.status_code == 200, "liveness depends on nothing"
    ready = replica.get("/readyz")
    assert ready is not None
    assert (ready.status_code, ready.text) == (503, "no configuration is live yet\n")
    # A file that is mended is seen, and so is an operator that comes.
    stored = cluster.store(cluster.snapshot("euro"))
    replica.until_live(stored)
    version = cluster.start_operator().offer(cluster.snapshot("coder"))
    replica.until_live(version)
    assert replica.alive("prism")


def test_a_change_while_envoy_is_away_is_acknowledged_once_it_is_back(cluster: Cluster) -> None:
    operator = cluster.start_operator()
    operator.offer(cluster.snapshot("euro"))
    replica = cluster.replica().until_ready()
    replica.kill("envoy")
    until(lambda: replica.status()["envoys"] == 0, "the loss of Envoy to be noticed")
    version = operator.offer(cluster.snapshot("coder"))
    until(lambda: replica.status()["planVersion"] == version, "the plan")
    assert not replica.ready()
    assert operator.answers(version) == []
    replica.start_envoy()
    replica.until_ready()
    until(lambda: operator.answers(version) == [""], "the ACK")
    assert model_of(replica) == "coder"


def drain(replica: Replica, *options: str) -> subprocess.CompletedProcess[str]:
    admin = ["--envoy-admin", str(replica.folder / "a.sock")]
    command = [sys.executable, "-m", "prism", "drain", *admin, *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_an_envoy_drains(cluster: Cluster) -> None:
    operator = cluster.start_operator()
    operator.offer(cluster.snapshot("euro"))
    replica = cluster.replica().until_ready()
    done = drain(replica, "--linger", "0", "--seconds", "30")
    assert (done.returncode, done.stderr) == (0, "")
    with pytest.raises(httpx.ConnectError):
        ask(replica)
