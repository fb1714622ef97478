"""``prism-operator certs`` on a real API server, with no more rights than documented."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from .documents import table
from .kube import Kube
from .operating import Operator, Site, replicas
from .test_operator import holds

pytestmark = pytest.mark.cluster

SECRETS = ("prism-operator-tls", "prism-extproc-tls", "prism-webhook-tls")


def rights(namespace: str, configuration: str) -> list[dict[str, Any]]:
    """What docs/operator.md says this command may do."""
    group = "rbac.authorization.k8s.io"
    metadata = {"name": f"certs-{namespace}", "namespace": namespace}
    subjects = [{"kind": "ServiceAccount", "name": "certs", "namespace": namespace}]
    secrets = {"apiGroups": [""], "resources": ["secrets"]}
    hooks = {
        "apiGroups": ["admissionregistration.k8s.io"],
        "resources": ["validatingwebhookconfigurations"],
        "resourceNames": [configuration],
        "verbs": ["get", "patch"],
    }
    local = [
        {**secrets, "verbs": ["create"]},
        {**secrets, "resourceNames": list(SECRETS), "verbs": ["get", "update"]},
    ]
    made: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {**metadata, "name": "certs"}}
    ]
    for kind, rules in (("Role", local), ("ClusterRole", [hooks])):
        role = {"apiVersion": f"{group}/v1", "kind": kind, "metadata": metadata, "rules": rules}
        reference = {"apiGroup": group, "kind": kind, "name": metadata["name"]}
        binding = {**role, "kind": f"{kind}Binding", "roleRef": reference, "subjects": subjects}
        del binding["rules"]
        made += [role, binding]
    return made


class Certs:
    """The command and the Secrets that it keeps."""

    def __init__(self, kube: Kube) -> None:
        self.kube = kube
        self.namespace = kube.namespace()
        self.configuration = f"prism-{self.namespace}"
        documents = rights(self.namespace, self.configuration)
        kube.kubectl("apply", "-f", "-", input=yaml.safe_dump_all(documents))
        self.kubeconfig = kube.service_account_kubeconfig(self.namespace, "certs")

    def run(self, *more: str) -> str:
        command = [
            sys.executable, "-m", "prism_operator", "certs", "--namespace", self.namespace,
            "--webhook-secret", SECRETS[2], *more,
        ]  # fmt: skip
        environment = {**os.environ, "KUBECONFIG": str(self.kubeconfig)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stderr

    def secret(self, name: str) -> dict[str, Any]:
        shown = self.kube.kubectl("get", "secret", name, "-n", self.namespace, "-o", "json").stdout
        found: dict[str, Any] = json.loads(shown)
        return found

    def mount(self, name: str, folder: Path) -> Path:
        """Lay a Secret out as the kubelet would."""
        folder.mkdir(exist_ok=True)
        for entry, value in self.secret(name)["data"].items():
            (folder / entry).write_bytes(base64.b64decode(value))
        return folder


@pytest.fixture
def certs(kube: Kube) -> Certs:
    return Certs(kube)


def test_it_makes_secrets_once_and_an_operator_runs_on_them(certs: Certs, tmp_path: Path) -> None:
    certs.run("--webhook-name", "hook.example")
    first = {name: certs.secret(name) for name in SECRETS}
    assert {secret["type"] for secret in first.values()} == {"kubernetes.io/tls"}
    said = certs.run("--webhook-name", "hook.example")
    assert said.count("nothing is due") == 3
    assert {name: certs.secret(name) for name in SECRETS} == first
    site = Site(certs.kube, tmp_path)
    certs.mount(SECRETS[0], site.server)
    certs.mount(SECRETS[1], site.client)
    with site.operator() as operator, replicas(site, [operator]):
        site.apply(table())
        site.until("rt", "default", holds("Programmed"))


def test_a_secret_that_is_deleted_comes_back(certs: Certs) -> None:
    certs.run("--webhook-name", "hook.example")
    kept = certs.secret(SECRETS[0])["data"]["tls.crt"]
    certs.kube.kubectl("delete", "secret", SECRETS[1], "-n", certs.namespace)
    certs.run("--webhook-name", "hook.example")
    assert certs.secret(SECRETS[1])["data"]["tls.crt"]
    assert certs.secret(SECRETS[0])["data"]["tls.crt"] == kept


def test_the_api_server_is_told_whom_to_trust(certs: Certs) -> None:
    service = {"name": "hook", "namespace": certs.namespace, "path": "/validate"}
    rule = {
        "apiGroups": ["nothing.test"],
        "apiVersions": ["v1"],
        "resources": ["nothings"],
        "operations": ["CREATE"],
    }
    hook = {
        "name": "validate.routing.prism.dev",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "clientConfig": {"service": service},
        "rules": [rule],
    }
    configuration = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": certs.configuration},
        "webhooks": [hook, {**hook, "name": "other.routing.prism.dev"}],
    }
    certs.kube.kubectl("apply", "-f", "-", input=yaml.safe_dump(configuration))
    certs.run("--webhook-configuration", certs.configuration)
    shown = certs.kube.kubectl(
        "get", "validatingwebhookconfiguration", certs.configuration, "-o", "json"
    ).stdout
    bundles = [hook["clientConfig"]["caBundle"] for hook in json.loads(shown)["webhooks"]]
    assert bundles == [certs.secret(SECRETS[2])["data"]["ca.crt"]] * 2
    before = json.loads(shown)["metadata"]["resourceVersion"]
    certs.run("--webhook-configuration", certs.configuration)
    shown = certs.kube.kubectl(
        "get", "validatingwebhookconfiguration", certs.configuration, "-o", "json"
    ).stdout
    assert json.loads(shown)["metadata"]["resourceVersion"] == before
    certs.kube.kubectl("delete", "validatingwebhookconfiguration", certs.configuration)


def test_a_webhook_without_a_name_is_refused(certs: Certs) -> None:
    with pytest.raises(AssertionError, match="give --webhook-configuration or --webhook-name"):
        certs.run()


def test_operator_and_replicas_follow_a_rotation(certs: Certs, tmp_path: Path) -> None:
    certs.run("--webhook-name", "hook.example")
    site = Site(certs.kube, tmp_path)
    certs.mount(SECRETS[0], site.server)
    certs.mount(SECRETS[1], site.client)
    with site.operator() as operator:
        with replicas(site, [operator], "old"):
            site.apply(table())
            site.until("rt", "default", holds("Programmed"))
        _all_renewed(certs)
        certs.mount(SECRETS[0], site.server)
        certs.mount(SECRETS[1], site.client)
        with replicas(site, [operator], "new"):
            site.until("rt", "default", holds("Programmed"))
        assert_rotated(operator)


def _all_renewed(certs: Certs) -> None:
    """As after all Secrets were lost: an authority that nobody knew before."""
    before = certs.secret(SECRETS[0])["data"]["ca.crt"]
    for name in SECRETS:
        certs.kube.kubectl("delete", "secret", name, "-n", certs.namespace)
    certs.run("--webhook-name", "hook.example")
    assert certs.secret(SECRETS[0])["data"]["ca.crt"] != before


def assert_rotated(operator: Operator) -> None:
    operator.logged("new certificates are in use")
