"""The whole story on a real API server: the chart's objects, the operator under its own
ServiceAccount, kubectl, and requests of the real OpenAI client through a real Envoy."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import openai
import pytest
from tests.gateway import config
from tests.gateway.conftest import specs, urls
from tests.gateway.running import chat, simulated, until

from prism.providers import SimulatedProviders

from .kube import Kube
from .release import GatewayPod, Release

pytestmark = pytest.mark.cluster

TASKS = ("simple", "code", "reasoning", "complex")


@pytest.fixture(scope="module")
def providers() -> Iterator[SimulatedProviders]:
    with simulated(specs()) as made:
        yield made


@pytest.fixture
def release(kube: Kube, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Release]:
    """The chart with certificates and provider keys, and nothing running yet."""
    made = Release(kube, tmp_path_factory.mktemp("r"))
    try:
        made.issue_certificates()
        keys = [f"--from-literal={name}={value}" for name, value in config.KEYS.items()]
        made.kubectl("create", "secret", "generic", "prism-credentials", *keys)
        yield made
    finally:
        made.stop()


def table(providers: SimulatedProviders, model: str, **spec: Any) -> dict[str, Any]:
    """A table that sends everything to one model."""
    cells = {task: {mode: [model] for mode in ("eco", "balanced", "sport")} for task in TASKS}
    return config.table(urls(providers), cells=cells, **spec)


CLIENT, EURO, _ = config.policies()


def answered_by(gateway: GatewayPod, key: str = config.CLIENT_KEY) -> str | None:
    """The model that answers a request, or nothing where it is refused or nobody listens."""
    try:
        answer = gateway.ask(key)
    except httpx.TransportError:
        return None
    return answer.headers.get("x-prism-model") if answer.status_code == 200 else None


def until_answered(gateway: GatewayPod, model: str, key: str = config.CLIENT_KEY) -> None:
    """Wait until a project's requests go to a model. Readiness says nothing of its policy, which
    may go live a moment after the table."""
    until(lambda: answered_by(gateway, key) == model, f"{model} to answer at {gateway.name}")


def conditions(release: Release, kind: str, name: str) -> dict[str, dict[str, Any]]:
    """The conditions of a resource that are about its newest generation."""
    found = release.get(kind, name)
    return {
        condition["type"]: condition
        for condition in found.get("status", {}).get("conditions", ())
        if condition["observedGeneration"] == found["metadata"]["generation"]
    }


def until_programmed(release: Release, kind: str, name: str) -> None:
    until(
        lambda: conditions(release, kind, name).get("Programmed", {}).get("status") == "True",
        f"{kind}/{name} to be programmed",
    )


def until_counted(release: Release, kind: str, name: str, replicas: str) -> None:
    """Wait until the status counts all replicas, which it does once they have calmed down."""
    until(
        lambda: release.get(kind, name).get("status", {}).get("replicas") == replicas,
        f"{kind}/{name} to be at {replicas}",
    )


def test_the_whole_story(release: Release, providers: SimulatedProviders) -> None:
    release.start_operators(2)
    gateways = release.start_gateways(2)
    # Nothing is applied: alive, not ready.
    until(lambda: all(g.get("/healthz") for g in gateways), "the gateways to be alive")
    assert not any(gateway.ready() for gateway in gateways)

    # kubectl apply of a table and policies: routed by them.
    release.apply(table(providers, "mini"), CLIENT, EURO)
    for gateway in gateways:
        gateway.until_ready()
        until_answered(gateway, "mini")
        with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=config.CLIENT_KEY) as client:
            answer = client.chat.completions.with_raw_response.create(
                model="auto", messages=[{"role": "user", "content": "hello"}]
            )
        assert answer.headers["x-prism-model"] == "mini"
        assert answer.parse().choices[0].message.content
        assert gateway.ask("nobody's key").status_code == 401
    # mini's provider is not in the EU, where this project has to stay.
    until(
        lambda: answered_by(gateways[0], config.EURO_KEY) in ("thinker", "euro"),
        "a model of the EU to answer",
    )

    # Status, read with kubectl.
    for kind, name in (("rt", "default"), ("pp", "client"), ("pp", "euro")):
        until_programmed(release, kind, name)
        until_counted(release, kind, name, "2/2")
    shown = release.kubectl("get", "prism")
    row = next(line for line in shown.splitlines() if "default" in line)
    assert row.split()[1:4] == ["True", "True", "2/2"]
    live = gateways[0].status()["planVersion"]
    # The last that was applied; the table may have been live in a snapshot before.
    assert release.get("pp", "euro")["status"]["snapshot"] == live
    released = release.kubectl("wait", "--for=condition=Programmed", "rt/default", "--timeout=60s")
    assert "condition met" in released

    # A change.
    release.apply(table(providers, "euro"))
    for gateway in gateways:
        until_answered(gateway, "euro")
        assert answered_by(gateway, config.EURO_KEY) == "euro"
    until_programmed(release, "rt", "default")

    # A bad change that the schema can tell is refused by the API server, with the reason.
    refused = release.apply(table(providers, "euro", defaultMode="ludicrous"), check=False)
    assert "spec.defaultMode" in refused
    # One that only the whole tells is refused by the operator, with every place.
    bad = {**CLIENT, "spec": {**CLIENT["spec"], "models": {"denied": ["nothing", "none"]}}}
    release.apply(bad)
    until(
        lambda: conditions(release, "pp", "client").get("Accepted", {}).get("status") == "False",
        "the refusal",
    )
    paths = {p["path"] for p in release.get("pp", "client")["status"]["problems"]}
    assert {"spec.models.denied[0]", "spec.models.denied[1]"} <= paths
    # The last good one is live, and the rest goes on changing.
    release.apply(table(providers, "thinker"))
    for gateway in gateways:
        until_answered(gateway, "thinker")
    # Mended, all is well.
    release.apply(CLIENT)
    until_programmed(release, "pp", "client")


def test_the_leader_is_killed_under_load_and_nothing_is_lost(
    release: Release, providers: SimulatedProviders
) -> None:
    release.start_operators(2)
    (gateway,) = release.start_gateways(1)
    release.apply(table(providers, "mini"), CLIENT)
    until_answered(gateway, "mini")
    with load(gateway) as statuses:
        leader = release.get("lease", "prism-operator")["spec"]["holderIdentity"]
        next(pod for pod in release.operators if pod.name == leader).kill("operator")
        release.apply(table(providers, "coder"))
        until_answered(gateway, "coder")
    assert set(statuses) == {200}
    until_programmed(release, "rt", "default")


def test_a_leader_that_hangs_is_left_for_the_one_that_took_over(
    release: Release, providers: SimulatedProviders
) -> None:
    release.start_operators(2)
    (gateway,) = release.start_gateways(1)
    release.apply(table(providers, "mini"), CLIENT)
    until_answered(gateway, "mini")
    leader = release.get("lease", "prism-operator")["spec"]["holderIdentity"]
    hung = next(pod for pod in release.operators if pod.name == leader).pid("operator")
    # Its connections stay open, so that only the missing signs of life tell.
    os.kill(hung, signal.SIGSTOP)
    try:
        release.apply(table(providers, "coder"))
        until_answered(gateway, "coder")  # the other operator was found
    finally:
        os.kill(hung, signal.SIGCONT)


def test_without_api_server_and_operator_a_new_pod_starts_from_what_is_stored(
    release: Release, kube: Kube, providers: SimulatedProviders
) -> None:
    (operator,) = release.start_operators(1)
    (gateway,) = release.start_gateways(1)
    release.apply(table(providers, "mini"), CLIENT)
    until_answered(gateway, "mini")  # so both are live
    version = gateway.status()["planVersion"]
    for kind, name in (("rt", "default"), ("pp", "client")):
        until_programmed(release, kind, name)
    until(lambda: stored_version(release) == version, "the snapshot to be stored")
    with load(gateway) as statuses:
        kube.crash_api()
        try:
            assert answered_by(gateway) == "mini"
            operator.kill("operator")
            until(lambda: not gateway.status()["operator"]["connected"], "the loss to be noticed")
            assert gateway.ready()
            assert answered_by(gateway) == "mini"
        finally:
            kube.restart_api()
    assert set(statuses) == {200}
    # The operator is still away; the kubelet mounts what it had stored.
    second = release.start_gateways(1)[1].until_live(version)
    assert second.status()["source"] == "stored snapshot"
    assert answered_by(second) == "mini"
    # And a new operator goes on from there.
    release.operators.remove(operator)
    operator.start("operator")
    release.operators.append(operator)
    release.apply(table(providers, "coder"))
    for one in release.gateways:
        until_answered(one, "coder")


def test_a_pod_that_ends_cuts_no_request_off(
    release: Release, providers: SimulatedProviders
) -> None:
    release.start_operators(1)
    (gateway,) = release.start_gateways(1)
    release.apply(table(providers, "mini"), CLIENT)
    until_answered(gateway, "mini")
    over = threading.Event()
    answers: list[httpx.Response] = []
    refused = threading.Event()

    def clients() -> None:
        with httpx.Client(base_url=gateway.url, timeout=30) as client:
            client.headers["authorization"] = f"Bearer {config.CLIENT_KEY}"
            while not over.is_set():
                try:
                    answers.append(client.post("/v1/chat/completions", json=chat("hello")))
                except httpx.ConnectError:  # nobody listens any more: other pods would answer
                    refused.set()
                    return

    threads = [threading.Thread(target=clients) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        gateway.pod.end("extproc")
        gateway.pod.kill("envoy", signal.SIGTERM)  # a sidecar goes last
        assert refused.wait(30)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert {answer.status_code for answer in answers} == {200}
    assert "close" in [answer.headers.get("connection") for answer in answers]


def test_certificates_are_renewed_without_a_restart(
    release: Release, providers: SimulatedProviders
) -> None:
    release.start_operators(2)
    (gateway,) = release.start_gateways(1)
    release.apply(table(providers, "mini"), CLIENT)
    until_answered(gateway, "mini")
    pids = [pod.pid("operator") for pod in release.operators] + [gateway.pod.pid("extproc")]
    # All of them anew, the authority too.
    release.kubectl("delete", "secret", "prism-operator-tls", "prism-extproc-tls")
    release.issue_certificates("certificates-again")
    for pod in release.operators:
        pod.mount()
    gateway.pod.mount()
    release.apply(table(providers, "coder"))
    until_answered(gateway, "coder")  # over the new certificates
    for pid in pids:
        os.kill(pid, 0)


def stored_version(release: Release) -> str:
    """The version of the stored snapshot; empty where there is none."""
    template = r"jsonpath={.metadata.annotations.routing\.prism\.dev/snapshot}"
    return release.kubectl("get", "cm", "prism-snapshot", "-o", template, check=False).strip()


@contextmanager
def load(gateway: GatewayPod) -> Iterator[list[int]]:
    """Requests to a gateway for the time of the block; gives their statuses, 0 for none."""
    over = threading.Event()
    statuses: list[int] = []

    def send() -> None:
        while not over.is_set():
            try:
                statuses.append(gateway.ask(config.CLIENT_KEY).status_code)
            except httpx.TransportError:
                statuses.append(0)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield statuses
    finally:
        over.set()
        thread.join()
    assert len(statuses) > 3
