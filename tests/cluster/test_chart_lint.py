"""Helm's own check of the chart, and the values that its schema refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from .chart import CHART, VALUES, helm

pytestmark = pytest.mark.cluster


@pytest.mark.parametrize("values", [None, *VALUES], ids=lambda v: v.stem if v else "defaults")
def test_lint(values: Path | None) -> None:
    done = helm("lint", "--strict", CHART, *(["--values", values] if values else []))
    assert done.returncode == 0, done.stdout + done.stderr


REFUSED = {
    "gateway.replica=3": "Additional property replica is not allowed",
    "gateway.maxBodyMiB=64": "gateway.maxBodyMiB",
    "gateway.timeoutSeconds=0": "gateway.timeoutSeconds",
    "gateway.drainSeconds=soon": "gateway.drainSeconds",
    "gateway.service.type=ExternalName": '"ClusterIP", "NodePort", "LoadBalancer"',
    "gateway.extproc.resources.request.cpu=1": "Additional property request is not allowed",
    "gateway.extproc.resources.requests.cpu=much": "gateway.extproc.resources.requests.cpu",
    "images.envoy.digest=sha256:abc": "images.envoy.digest",
    "certificates.source=vault": '"job", "certManager", "existing"',
    "webhook.failurePolicy=Warn": '"Ignore", "Fail"',
    "operator.watch.allNamespaces=true,operator.watch.namespaces={a}": "operator.watch.namespaces",
    "operator.watch.namespaces={Team_A}": "operator.watch.namespaces",
    "gateway.credentialsSecret=": "gateway.credentialsSecret",
    "samples.maxCostPerDay=0": "samples.maxCostPerDay",
}


@pytest.mark.parametrize("given", REFUSED)
def test_a_wrong_value_is_refused_by_name(given: str) -> None:
    done = helm("template", "prism", CHART, "--set", given)
    assert done.returncode != 0
    assert REFUSED[given] in done.stderr
