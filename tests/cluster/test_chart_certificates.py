"""The chart's certificate job, run as it would be: its arguments, its account, its rights."""

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
from cryptography import x509

from .chart import container, one, pods, render
from .kube import Kube

pytestmark = pytest.mark.cluster


class Job:
    """The chart in a namespace, and its Job's container as a process of this machine."""

    def __init__(self, kube: Kube) -> None:
        self.kube = kube
        self.namespace = kube.namespace()
        text = render(namespace=self.namespace)
        kube.kubectl("apply", "-f", "-", input=text)
        self.objects = [document for document in yaml.safe_load_all(text) if document]
        (pod,) = [spec for name, spec in pods(self.objects) if name.startswith("Job/")]
        self.arguments = container(pod, "certificates")["args"]
        self.account: Path = kube.service_account_kubeconfig(
            self.namespace, pod["serviceAccountName"]
        )

    def run(self) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "prism_operator", *self.arguments],
            env={**os.environ, "KUBECONFIG": str(self.account)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def get(self, *what: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(
            self.kube.kubectl("get", *what, "-n", self.namespace, "-o", "json").stdout
        )
        return found

    def names(self, secret: str) -> set[str]:
        """The DNS names of the certificate in a Secret."""
        data = self.get("secret", secret)["data"]
        certificate = x509.load_pem_x509_certificate(base64.b64decode(data["tls.crt"]))
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        return set(names.value.get_values_for_type(x509.DNSName))


def test_the_job_makes_what_the_pods_mount(kube: Kube) -> None:
    job = Job(kube)
    job.run()
    mounted = {
        volume["secret"]["secretName"]
        for _, spec in pods(job.objects)
        for volume in spec.get("volumes", ())
        if "secret" in volume and not volume["secret"].get("optional")
    }
    assert mounted == {"prism-operator-tls", "prism-extproc-tls", "prism-webhook-tls"}
    for secret in mounted:
        assert {"tls.crt", "tls.key", "ca.crt"} <= job.get("secret", secret)["data"].keys()
    assert "prism-operator" in job.names("prism-operator-tls")
    assert job.names("prism-extproc-tls") == {"prism-extproc"}
    assert f"prism-webhook.{job.namespace}.svc" in job.names("prism-webhook-tls")


def test_the_api_server_is_told_whom_to_trust_and_a_second_run_changes_nothing(kube: Kube) -> None:
    job = Job(kube)
    job.run()
    name = f"{job.namespace}-prism-webhook"
    assert one(job.objects, "ValidatingWebhookConfiguration", name)
    (hook,) = job.get("validatingwebhookconfiguration", name)["webhooks"]
    authority = job.get("secret", "prism-webhook-tls")["data"]["ca.crt"]
    assert hook["clientConfig"]["caBundle"] == authority

    def versions() -> set[str]:
        return {item["metadata"]["resourceVersion"] for item in job.get("secrets")["items"]}

    before = versions()
    job.run()
    assert versions() == before
