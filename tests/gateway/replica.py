"""A gateway pod without a cluster: Envoy and ``prism serve --operator``, each a process."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import httpx

from .running import NO_TLS, PATIENCE_S, chat, free_port, until

ENVOY = Path(sys.executable).parent / "envoy"


class GatewayAt:
    """A gateway at ``url`` with its admin endpoints at ``admin``. ``log`` is where it logs."""

    def __init__(self, name: str, url: str, admin: str, log: Path) -> None:
        self.name, self.url, self.admin, self.log = name, url, admin, log

    def get(self, path: str) -> httpx.Response | None:
        """An admin endpoint's answer; None while it does not answer."""
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{self.admin}{path}", timeout=10, verify=NO_TLS)
        return None

    def ready(self) -> bool:
        """Whether the readiness endpoint says so."""
        answer = self.get("/readyz")
        return answer is not None and answer.status_code == 200

    def status(self) -> dict[str, Any]:
        """The admin endpoint ``/status``; empty while it does not answer."""
        answer = self.get("/status")
        return {} if answer is None else answer.json()

    def until_ready(self) -> Self:
        """Wait until it is ready."""
        until(self.ready, f"{self.name} to be ready; its log: {self.log}")
        return self

    def until_live(self, version: str) -> Self:
        """Wait until a version is live and an Envoy has it."""
        until(
            lambda: self.status().get("planVersion") == version and self.ready(),
            f"version {version} at {self.name}; its log: {self.log}",
        )
        return self

    def ask(self, key: str, **more: Any) -> httpx.Response:
        """The answer to a chat request with a project's key."""
        headers = {"authorization": f"Bearer {key}"}
        body = chat("hello", **more)
        return httpx.post(
            f"{self.url}/v1/chat/completions",
            json=body,
            headers=headers,
            timeout=30,
            verify=NO_TLS,
        )


class Replica(GatewayAt):
    """One replica of the gateway. ``folder`` holds its sockets, so its path must be short."""

    def __init__(
        self,
        name: str,
        folder: Path,
        operators: Sequence[int],
        tls: Path,
        keys: Mapping[str, str],
        *options: str,
    ) -> None:
        port, admin_port = free_port(), free_port()
        url, admin = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{admin_port}"
        super().__init__(name, url, admin, folder / "replica.log")
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self._environment = {**os.environ, **keys, "PYTHONUNBUFFERED": "1"}
        sockets = ["--socket", str(folder / "prism.sock"), "--envoy-admin", str(folder / "a.sock")]
        self._bootstrap = ["bootstrap", "--listen", f"127.0.0.1:{port}", *sockets]
        self._serve = ["serve", *sockets, "--operator-tls", str(tls), "--replica", name]
        for port in operators:
            self._serve += ["--operator", f"127.0.0.1:{port}"]
        self._serve += ["--admin", f"127.0.0.1:{admin_port}"]
        self._serve += ["--state", str(folder / "state"), *options]
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> Self:
        """Start both; ready only once a configuration is live."""
        subprocess.run(
            [sys.executable, "-m", "prism", *self._bootstrap, "--out", str(self._envoy_config)],
            check=True,
        )
        self.start_prism()
        self.start_envoy()
        return self

    def start_prism(self) -> None:
        """Start ``prism serve``."""
        self._start("prism", [sys.executable, "-m", "prism", *self._serve])

    def start_envoy(self) -> None:
        """Start Envoy with what ``prism bootstrap`` printed."""
        from prism.serve.supervisor import ENVOY_OPTIONS

        config = ["--config-path", str(self._envoy_config), "--concurrency", "1"]
        self._start("envoy", [str(ENVOY), *config, *ENVOY_OPTIONS])

    def kill(self, name: str) -> None:
        """Kill ``prism`` or ``envoy`` with SIGKILL and wait until it is gone."""
        process = self._processes[name]
        process.kill()
        process.wait(PATIENCE_S)

    def pid(self, name: str) -> int:
        """The process id of ``prism`` or ``envoy``."""
        return self._processes[name].pid

    def alive(self, name: str) -> bool:
        """Whether ``prism`` or ``envoy`` has not ended."""
        return self._processes[name].poll() is None

    def stop(self) -> None:
        """End both."""
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            try:
                process.wait(PATIENCE_S)
            finally:
                process.kill()

    @property
    def _envoy_config(self) -> Path:
        return self.folder / "envoy.json"

    def _start(self, name: str, command: list[str]) -> None:
        with self.log.open("ab") as log:
            self._processes[name] = subprocess.Popen(
                command, env=self._environment, stdout=log, stderr=subprocess.STDOUT
            )
