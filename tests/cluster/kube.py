"""A Kubernetes API for tests and benchmarks: where it comes from, and how it is spoken to."""

from __future__ import annotations

import base64
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from tests.cluster import kube_tools
from tests.cluster.kube_tools import ToolMissing

from . import kube_build
from .kube_server import KubeServer, polls

CLUSTER = "PRISM_TEST_KUBECONFIG"
"""Names the kubeconfig of a disposable cluster: the tests leave CRDs and namespaces in it."""
CRDS = Path(__file__).parents[2] / "charts/prism/crds"


class ServerNotOurs(Exception):
    """What was asked for can only be done to an API server that we have started."""


class Kube:
    """A cluster with the CRDs of Prism in it, and its administrator."""

    def __init__(self, kubeconfig: Path, scratch: Path, server: KubeServer | None) -> None:
        self.kubeconfig = kubeconfig
        self._scratch = scratch
        self._server = server
        cluster = yaml.safe_load(kubeconfig.read_text("utf-8"))["clusters"][0]["cluster"]
        self.url: str = cluster["server"]
        self.ca = self._authority(cluster)
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(CRDS))
        self.kubectl("wait", "--for=condition=Established", "-f", str(CRDS), "--timeout=60s")
        self._await_kinds()
        # kubectl keeps for minutes what it learnt before the kinds were there.
        shutil.rmtree(scratch / ".kube", ignore_errors=True)

    def kubectl(
        self,
        *args: str,
        input: str | None = None,  # noqa: A002 - named as subprocess names it
        check: bool = True,
        kubeconfig: Path | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl as the administrator, or as whom ``kubeconfig`` names."""
        return self._run([str(kube_tools.kubectl()), *args], input, check, kubeconfig)

    def helm(
        self, *args: str, check: bool = True, kubeconfig: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run helm against this cluster, with no settings or plugins of the user's."""
        return self._run([str(kube_tools.helm()), *args], None, check, kubeconfig)

    def namespace(self) -> str:
        """The name of a new namespace. It stays: see ``kube_server``."""
        name = f"t-{secrets.token_hex(4)}"
        self.kubectl("create", "namespace", name)
        return name

    def token(self, namespace: str, service_account: str) -> str:
        """A bearer token of a ServiceAccount that exists, for two hours."""
        command = ("create", "token", service_account, "-n", namespace, "--duration=2h")
        return self.kubectl(*command).stdout.strip()

    def service_account_kubeconfig(self, namespace: str, name: str) -> Path:
        """A kubeconfig of a ServiceAccount that exists, with such a token."""
        place = self._scratch / f"{namespace}-{name}-{secrets.token_hex(4)}.kubeconfig"
        user = {"token": self.token(namespace, name)}
        return _write_kubeconfig(place, self.url, self.ca, user, namespace)

    def crash_api(self) -> None:
        """End the API server as a crash would. Every test that does it restarts it."""
        self._ours().crash_api()

    def restart_api(self) -> None:
        """Start the API server again, at the same address over the same data."""
        self._ours().crash_api()
        self._ours().start_api()
        self._await_kinds()

    def _await_kinds(self) -> None:
        """Wait until the kinds are served and described: both lag behind readiness."""
        group = "apis/routing.prism.dev/v1alpha1"
        for _ in polls():
            served = self.kubectl("get", "--raw", f"/{group}", check=False).stdout
            described = self.kubectl("get", "--raw", "/openapi/v3", check=False).stdout
            if "routingtables/status" in served and group in described:
                return
        raise AssertionError(f"the API server does not serve {group}")

    def _ours(self) -> KubeServer:
        if self._server is None:
            raise ServerNotOurs(f"the API server of {CLUSTER} is not ours to stop")
        return self._server

    def _authority(self, cluster: dict[str, Any]) -> Path:
        if "certificate-authority" in cluster:
            return self.kubeconfig.parent / str(cluster["certificate-authority"])
        place = self._scratch / "cluster-ca.crt"
        place.write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
        return place

    def _run(
        self, command: list[str], given: str | None, check: bool, kubeconfig: Path | None
    ) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "KUBECONFIG": str(kubeconfig or self.kubeconfig),
            "HOME": str(self._scratch),  # both keep caches and settings there
            "HELM_CACHE_HOME": str(self._scratch / "helm"),
        }
        done = subprocess.run(
            command, input=given, env=environment, capture_output=True, text=True, check=False
        )
        if check and done.returncode:
            shown = " ".join([Path(command[0]).name, *command[1:]])
            raise AssertionError(f"{shown}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done


@contextmanager
def cluster(scratch: Path, say: kube_build.Say) -> Iterator[Kube]:
    """The first there is of: a disposable cluster that ``PRISM_TEST_KUBECONFIG`` names,
    envtest's binaries in ``KUBEBUILDER_ASSETS``, the cached build, a new build.

    Raises ToolMissing where there is none of them.
    """
    if given := os.environ.get(CLUSTER):
        yield Kube(Path(given).absolute(), scratch, None)
        return
    server = KubeServer(_binary(say), scratch)
    try:
        kubeconfig = _write_kubeconfig(
            scratch / "admin.kubeconfig", server.url, server.ca, server.kubeconfig_user()
        )
        yield Kube(kubeconfig, scratch, server)
    finally:
        server.stop()


def _binary(say: kube_build.Say) -> Path:
    if assets := os.environ.get("KUBEBUILDER_ASSETS"):
        place = Path(assets) / "kube-apiserver"
        if not place.is_file():
            raise ToolMissing(f"KUBEBUILDER_ASSETS is {assets}, but there is no {place}")
        return place
    place = kube_build.cached()
    return place if place.is_file() else kube_build.build(say)


def _write_kubeconfig(
    place: Path, url: str, ca: Path, user: dict[str, str], namespace: str = "default"
) -> Path:
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": url, "certificate-authority": str(ca)}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [
            {"name": "c", "context": {"cluster": "c", "user": "u", "namespace": namespace}}
        ],
        "current-context": "c",
    }
    place.touch(mode=0o600)
    place.write_text(yaml.safe_dump(content), "utf-8")
    return place
