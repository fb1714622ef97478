"""Parts of a release are killed, hang or are away: no request is lost that need not be."""

from __future__ import annotations

import os
import signal

import pytest
from tests.gateway import config
from tests.gateway.running import until

from prism.providers import SimulatedProviders

from .kube import Kube
from .release import Release
from .story import (
    CLIENT,
    answered_by,
    load,
    stored_version,
    table,
    until_answered,
    until_programmed,
)

pytestmark = pytest.mark.cluster


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


def test_prism_and_envoy_are_killed_and_come_back(
    release: Release, providers: SimulatedProviders
) -> None:
    release.start_operators(1)
    killed, other = release.start_gateways(2)
    release.apply(table(providers, "mini", failureMode="Closed"), CLIENT)
    for gateway in (killed, other):
        until_answered(gateway, "mini")
    with load(other) as statuses:
        killed.pod.kill("extproc")
        # No policy is skipped meanwhile, and who may do so tries again.
        answer = killed.ask(config.CLIENT_KEY)
        assert answer.status_code == 503
        assert answer.json()["error"]["code"] == "router_unavailable"
        assert answer.headers["retry-after"]
        killed.pod.start("extproc")
        until_answered(killed, "mini")

        killed.pod.kill("envoy")
        # No traffic is sent to it, and it is not restarted for that.
        until(lambda: not killed.ready(), "the loss of Envoy to be noticed")
        alive = killed.get("/healthz")
        assert alive is not None
        assert alive.status_code == 200
        release.apply(table(providers, "coder", failureMode="Closed"))
        until_answered(other, "coder")
        killed.pod.start("envoy")
        until_answered(killed, "coder")  # what changed meanwhile is there
        killed.until_ready()
    assert set(statuses) == {200}
    until_programmed(release, "rt", "default")
