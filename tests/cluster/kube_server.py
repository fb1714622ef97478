"""An API server of our own: etcd and kube-apiserver as processes, on free ports of this machine.

There is no controller manager, no scheduler and no kubelet: objects are stored, checked, watched
and authorised, but nothing acts on them. Namespaces never finish being deleted, owned objects
stay when their owner goes, and aggregated ClusterRoles stay empty.
"""

from __future__ import annotations

import random
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import trustme
from tests.cluster import kube_tools

PATIENCE_S = 180.0
"""Idle, etcd and the API server need about four seconds; a busy machine is slow."""
_POLL_S = 0.05


class NotStarted(Exception):
    """A process of the cluster ended or did not answer; the message has the end of its log."""


class KubeServer:
    """kube-apiserver over an etcd, with RBAC and an administrator. Ends with ``stop``."""

    def __init__(self, binary: Path, scratch: Path) -> None:
        self._scratch = scratch
        self._binary = binary
        self._port = _free_port()
        self.url = f"https://127.0.0.1:{self._port}"
        self.ca = scratch / "ca.crt"
        self._certificates()
        self._trust = ssl.create_default_context(cafile=str(self.ca))
        etcd_port = _free_port()
        self._etcd_url = f"http://127.0.0.1:{etcd_port}"
        self._etcd = self._start("etcd", self._etcd_command(_free_port()))
        self._api: subprocess.Popen[bytes] | None = None
        try:
            self._wait("etcd", self._etcd, lambda: httpx.get(f"{self._etcd_url}/health"))
            self.start_api()
        except BaseException:
            self.stop()
            raise

    def start_api(self) -> None:
        """Start kube-apiserver over what etcd holds, and wait until it is ready."""
        self._api = self._start("kube-apiserver", self._api_command())
        self._wait(
            "kube-apiserver",
            self._api,
            lambda: httpx.get(f"{self.url}/readyz", verify=self._trust),
        )

    def crash_api(self) -> None:
        """End kube-apiserver as a crash would; etcd and its data stay."""
        if self._api is not None:
            self._api.kill()
            self._api.wait()
            self._api = None

    def stop(self) -> None:
        """End everything. The data is of no use any more, so nothing ends gently."""
        self.crash_api()
        self._etcd.kill()
        self._etcd.wait()

    def kubeconfig_user(self) -> dict[str, str]:
        """The administrator, as the ``user`` of a kubeconfig."""
        return {
            "client-certificate": str(self._scratch / "admin.crt"),
            "client-key": str(self._scratch / "admin.key"),
        }

    def _certificates(self) -> None:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(self.ca))
        names = ("127.0.0.1", "localhost", "kubernetes.default.svc")
        leaves = {
            "server": authority.issue_cert(*names),
            "admin": authority.issue_cert(
                "admin", common_name="admin", organization_name="system:masters"
            ),
            "tokens": authority.issue_cert("service-account-tokens"),
        }
        for name, leaf in leaves.items():
            leaf.private_key_pem.write_to_path(str(self._scratch / f"{name}.key"))
            leaf.cert_chain_pems[0].write_to_path(str(self._scratch / f"{name}.crt"))

    def _etcd_command(self, peer_port: int) -> list[str]:
        peer = f"http://127.0.0.1:{peer_port}"
        return [
            str(kube_tools.etcd()),
            *("--data-dir", str(self._scratch / "etcd")),
            *("--listen-client-urls", self._etcd_url, "--advertise-client-urls", self._etcd_url),
            *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
            *("--initial-cluster", f"default={peer}"),
            "--unsafe-no-fsync",  # the data does not outlive the test run
            *("--log-level", "warn"),
        ]

    def _api_command(self) -> list[str]:
        scratch = self._scratch
        return [
            str(self._binary),
            *("--etcd-servers", self._etcd_url),
            *("--bind-address", "127.0.0.1", "--secure-port", str(self._port)),
            *("--advertise-address", "127.0.0.1", "--endpoint-reconciler-type", "none"),
            *("--tls-cert-file", str(scratch / "server.crt")),
            *("--tls-private-key-file", str(scratch / "server.key")),
            *("--client-ca-file", str(self.ca)),
            *("--service-account-issuer", "https://kubernetes.default.svc"),
            *("--service-account-signing-key-file", str(scratch / "tokens.key")),
            *("--service-account-key-file", str(scratch / "tokens.crt")),
            *("--service-cluster-ip-range", "10.0.0.0/24"),
            *("--authorization-mode", "RBAC"),
        ]

    def _start(self, name: str, command: list[str]) -> subprocess.Popen[bytes]:
        # A test run that is killed must not leave an API server behind.
        with_us = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        with (self._scratch / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [*with_us, *command], cwd=self._scratch, stdout=log, stderr=subprocess.STDOUT
            )

    def _wait(
        self, name: str, process: subprocess.Popen[bytes], ask: Callable[[], httpx.Response]
    ) -> None:
        for _ in polls():
            if process.poll() is not None:
                break
            try:
                if ask().status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                pass
        log = (self._scratch / f"{name}.log").read_text("utf-8", "replace")[-3000:]
        why = "is not ready" if process.poll() is None else f"ended with {process.returncode}"
        raise NotStarted(f"{name} {why}; the end of its log:\n{log}")


def polls() -> Iterator[None]:
    """Turns for asking about a condition, until patience is used up.

    Turns are counted and not the clock: time in which this process was stopped is none.
    """
    for _ in range(int(PATIENCE_S / _POLL_S)):
        yield
        time.sleep(_POLL_S)


def _free_port() -> int:
    """A port that nobody listens on, below those that connections get: a client that keeps
    trying while the API server is away could otherwise be given the server's own port."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
