"""A release of the chart on the test's API server, its pods as processes of this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from tests.gateway.replica import GatewayAt

from . import chart
from .kube import Kube
from .node import Pod

# An API server without a network of pods can't reach a webhook behind a Service. The tests apply
# tables of their own.
VALUES = ("--set", "webhook.enabled=false,samples.enabled=false")


class GatewayPod(GatewayAt):
    """A pod of the gateway: Envoy and Prism."""

    def __init__(self, pod: Pod) -> None:
        url, admin = (f"http://127.0.0.1:{pod.port(number)}" for number in (8080, 8002))
        super().__init__(pod.name, url, admin, pod.log("extproc"))
        self.pod = pod


class Release:
    """The chart in a namespace of its own. Nothing but the operators' and the certificates'
    ServiceAccounts talks to the API server, each with the rights that the chart gives it."""

    def __init__(self, kube: Kube, scratch: Path, *values: str) -> None:
        self.kube = kube
        self.namespace = kube.namespace()
        self._scratch = scratch
        self.objects = chart.objects(*VALUES, *values, namespace=self.namespace)
        self.kubectl("apply", "-f", "-", given=yaml.safe_dump_all(self.objects))
        self.operators: list[Pod] = []
        self.gateways: list[GatewayPod] = []

    def kubectl(self, *args: str, given: str | None = None, check: bool = True) -> str:
        """What kubectl prints, as the administrator of the namespace."""
        done = self.kube.kubectl("-n", self.namespace, *args, input=given, check=check)
        return done.stdout + done.stderr

    def apply(self, *documents: dict[str, Any], check: bool = True) -> str:
        """``kubectl apply`` of resources."""
        return self.kubectl("apply", "-f", "-", given=yaml.safe_dump_all(documents), check=check)

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """A resource as it is now."""
        found: dict[str, Any] = yaml.safe_load(self.kubectl("get", kind, name, "-o", "yaml"))
        return found

    def issue_certificates(self, name: str = "certificates") -> None:
        """Run the chart's Job."""
        (job,) = [item for item in self.objects if item["kind"] == "Job"]
        self._pod(name, job["spec"]["template"]["spec"]).run("certificates")

    def start_operators(self, number: int = 2) -> list[Pod]:
        """Start the operators that the chart's Deployment asks for."""
        for _ in range(number):
            pod = self._pod(f"operator-{len(self.operators)}", self._template("operator"))
            pod.start("operator")
            self.operators.append(pod)
        return self.operators

    def start_gateways(self, number: int) -> list[GatewayPod]:
        """Start pods of the gateway, in the order that the kubelet does."""
        for _ in range(number):
            pod = self._pod(f"gateway-{len(self.gateways)}", self._template("gateway"))
            pod.run("bootstrap")
            pod.start("envoy")
            pod.start("extproc")
            self.gateways.append(GatewayPod(pod))
        return self.gateways

    def stop(self) -> None:
        """End every pod."""
        for gateway in self.gateways:
            gateway.pod.stop()
        for operator in self.operators:
            operator.stop()

    def _template(self, component: str) -> dict[str, Any]:
        deployment = chart.one(self.objects, "Deployment", f"{chart.RELEASE}-{component}")
        spec: dict[str, Any] = deployment["spec"]["template"]["spec"]
        return spec

    def _pod(self, name: str, spec: dict[str, Any]) -> Pod:
        address = f"{chart.RELEASE}-operator.{self.namespace}.svc:18000"
        ports = [operator.port(18000) for operator in self.operators]
        return Pod(self.kube, name, self.namespace, spec, self._scratch / name, {address: ports})
