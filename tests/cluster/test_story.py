"""The whole story on a real API server: the chart's objects, the operator under its own
ServiceAccount, kubectl, and requests of the real OpenAI client through a real Envoy."""

from __future__ import annotations

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import openai
import pytest
from tests.gateway import config
from tests.gateway.running import chat, until

from prism.providers import SimulatedProviders

from .release import Release
from .story import (
    CLIENT,
    EURO,
    answered_by,
    conditions,
    table,
    until_answered,
    until_counted,
    until_programmed,
)

pytestmark = pytest.mark.cluster


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


def test_a_pod_that_ends_cuts_no_request_off(
    release: Release, providers: SimulatedProviders
) -> None:
    release.start_operators(1)
    (gateway,) = release.start_gateways(1)
    release.apply(table(providers, "mini"), CLIENT)
    until_answered(gateway, "mini")
    over = threading.Event()
    told: list[float] = []

    def client() -> list[httpx.Response]:
        """Send requests until a while after the pod has said that it goes: a load balancer, too,
        takes a moment to notice, which is what lingerSeconds (5) is for."""
        answers = []
        headers = {"authorization": f"Bearer {config.CLIENT_KEY}"}
        with httpx.Client(base_url=gateway.url, timeout=60, headers=headers) as session:
            while not over.is_set() and (not told or time.monotonic() < told[0] + 2):
                answers.append(session.post("/v1/chat/completions", json=chat("hello")))
                if answers[-1].headers.get("connection") == "close":
                    told.append(time.monotonic())
        return answers

    with ThreadPoolExecutor(4) as pool:
        clients = [pool.submit(client) for _ in range(4)]
        try:
            gateway.pod.end("extproc")
            gateway.pod.kill("envoy", signal.SIGTERM)  # a sidecar goes last
        finally:
            over.set()
    assert {answer.status_code for one in clients for answer in one.result()} == {200}
    assert told
    with pytest.raises(httpx.ConnectError):
        gateway.ask(config.CLIENT_KEY)


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
