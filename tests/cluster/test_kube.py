"""The API server of the tests is a real one: it authorises, keeps its data, and can be lost."""

from __future__ import annotations

import pytest

from .kube import Kube

pytestmark = pytest.mark.cluster


def test_a_service_account_may_do_only_what_it_was_given(kube: Kube) -> None:
    namespace = kube.namespace()
    kube.kubectl("create", "serviceaccount", "reader", "-n", namespace)
    kubeconfig = kube.service_account_kubeconfig(namespace, "reader")

    def may(*what: str) -> bool:
        asked = kube.kubectl("auth", "can-i", *what, kubeconfig=kubeconfig, check=False)
        return asked.stdout.strip() == "yes"

    assert not may("get", "routingtables")
    kube.kubectl(
        "create", "role", "reader", "-n", namespace,
        "--verb=get", "--resource=routingtables.routing.prism.dev",
    )  # fmt: skip
    kube.kubectl(
        "create", "rolebinding", "reader", "-n", namespace,
        "--role=reader", f"--serviceaccount={namespace}:reader",
    )  # fmt: skip
    assert may("get", "routingtables")
    assert not may("get", "secrets")
    assert not may("get", "routingtables", "-n", "default")


def test_the_api_server_can_go_away_and_come_back(kube: Kube) -> None:
    namespace = kube.namespace()
    kube.crash_api()
    assert kube.kubectl("get", "--raw", "/readyz", check=False).returncode != 0
    kube.restart_api()
    assert kube.kubectl("get", "namespace", namespace, "-o", "name").stdout.strip()
    assert kube.kubectl("get", "rt", "-n", namespace).returncode == 0


def test_helm_works_on_it(kube: Kube) -> None:
    assert kube.helm("list", "-n", kube.namespace(), "--short").stdout == ""
