"""The processes: an upstream and the three gateways before it, all up for the whole run."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import envoys
import psutil
import table

GATEWAYS = {
    "envoy": "Envoy alone",
    "noop": "Envoy + do-nothing ext_proc",
    "prism": "Envoy + Prism",
}
"""What is compared, by the names that figures use; measured in this order."""
START_S = 60.0
"""Seconds that a process may take until it listens: Prism loads its model first."""
_STOP_S = 15.0
_PR_SET_PDEATHSIG = 1  # prctl(2)
_HERE = Path(__file__).parent


class NotStarted(Exception):
    """A process ended or does not listen; the message has the end of its log."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """One of the compared. ``marker`` is a header that only its answers have.

    ``processes`` finds its processes by what they are for.
    """

    name: str
    port: int
    marker: bytes
    processes: Callable[[], Mapping[str, psutil.Process]]


@dataclass(frozen=True, slots=True)
class Running:
    """All of it. ``admin_port`` is that of Prism's admin endpoints."""

    gateways: Sequence[Gateway]
    admin_port: int


def start(folder: Path, stack: ExitStack) -> Running:
    """Start everything in ``folder``; ``stack`` ends it. Raises ``NotStarted``."""
    upstream_port, admin_port = _upstream(folder, stack), free_port()
    gateways = [
        _plain(folder, stack, upstream_port),
        _noop(folder, stack, upstream_port),
        _prism(folder, stack, upstream_port, admin_port),
    ]
    return Running(gateways, admin_port)


def start_told(
    folder: Path, stack: ExitStack, collector: int, variables: Mapping[str, str]
) -> Running:
    """Envoy alone, Prism, and a second Prism, ``told``, that sends to a collector on a port."""
    upstream_port, admin_port = _upstream(folder, stack), free_port()
    sent = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector}", **variables}
    told = _prism(folder, stack, upstream_port, free_port(), "told", sent)
    return Running(
        [
            _plain(folder, stack, upstream_port),
            _prism(folder, stack, upstream_port, admin_port),
            told,
        ],
        admin_port,
    )


def _upstream(folder: Path, stack: ExitStack) -> int:
    port = free_port()
    upstream = Process(folder, "upstream", envoy_command(folder, "upstream", envoys.upstream(port)))
    stack.callback(upstream.stop)
    upstream.wait_for(port)
    return port


def _plain(folder: Path, stack: ExitStack, upstream_port: int) -> Gateway:
    port = free_port()
    envoy = Process(
        folder, "plain", envoy_command(folder, "plain", envoys.plain(port, upstream_port))
    )
    stack.callback(envoy.stop)
    envoy.wait_for(port)
    return Gateway("envoy", port, envoys.UPSTREAM_MARKER, lambda: {"envoy": envoy.info})


def _noop(folder: Path, stack: ExitStack, upstream_port: int) -> Gateway:
    port, path = free_port(), folder / "noop.sock"
    python = Process(folder, "ext_proc", [sys.executable, str(_HERE / "noop.py"), str(path)])
    stack.callback(python.stop)
    python.wait_until(path.exists)
    config = envoys.with_ext_proc(port, upstream_port, str(path))
    envoy = Process(folder, "noop", envoy_command(folder, "noop", config))
    stack.callback(envoy.stop)
    envoy.wait_for(port)
    marker = envoys.UPSTREAM_MARKER
    return Gateway("noop", port, marker, lambda: {"envoy": envoy.info, "ext_proc": python.info})


def _prism(
    folder: Path,
    stack: ExitStack,
    upstream_port: int,
    admin_port: int,
    name: str = "prism",
    variables: Mapping[str, str] = MappingProxyType({}),
) -> Gateway:
    port, config = free_port(), folder / f"{name}-config"
    config.mkdir()
    table.write(config, upstream_port)
    command = [sys.executable, "-m", "prism", "run", "--config", str(config)]
    command += ["--listen", f"127.0.0.1:{port}", "--admin", f"127.0.0.1:{admin_port}"]
    command += ["--state", str(folder / f"{name}-state"), "--concurrency", "1", "--drain", "1"]
    environment = {**os.environ, table.CREDENTIAL: "bench-provider-key", **variables}
    prism = Process(folder, name, [*command, "--log-level", "warning"], environment)
    stack.callback(prism.stop)
    prism.wait_until(lambda: prism_ready(admin_port, port))

    def processes() -> Mapping[str, psutil.Process]:
        found = {"supervisor": prism.info}
        for child in prism.info.children(recursive=True):
            # Further workers, should there be any, get names of their own.
            role = "envoy" if child.name().startswith("envoy") else "ext_proc"
            found[role if role not in found else f"{role}_{len(found)}"] = child
        return found

    return Gateway(name, port, b"\r\nx-prism-model: ", processes)


class Process:
    """A child process with a log; it dies with this one, whatever happens."""

    def __init__(
        self,
        folder: Path,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._name = name
        self._log = folder / f"{name}.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=environment,
                # Ctrl-C reaches the benchmark alone, which ends the others in order.
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        self.info = psutil.Process(self._process.pid)

    def wait_for(self, port: int) -> None:
        """Wait until it listens on ``port``."""
        self.wait_until(lambda: _listens(port))

    def wait_until(self, there: Callable[[], bool]) -> None:
        """Wait for a sign of it; raises ``NotStarted`` with the end of its log."""
        until = time.monotonic() + START_S
        while not there():
            if self._process.poll() is not None or time.monotonic() > until:
                log = self._log.read_text("utf-8", "replace")[-4000:]
                raise NotStarted(f"{self._name} did not start; its log:\n{log}")
            time.sleep(0.02)

    def stop(self) -> None:
        """End it, with force where it does not end by itself."""
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def free_port() -> int:
    """A port of this machine that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def envoy_command(folder: Path, name: str, bootstrap: Mapping[str, object]) -> list[str]:
    """The same Envoy that ``prism run`` starts, with one worker thread."""
    path = folder / f"{name}.json"
    path.write_text(json.dumps(bootstrap), "utf-8")
    binary = str(Path(sys.executable).parent / "envoy")
    options = ["--concurrency", "1", "--log-level", "error", "--disable-hot-restart"]
    return [binary, "--config-path", str(path), *options]


def prism_ready(admin_port: int, port: int) -> bool:
    """Whether Envoy listens and has acknowledged what Prism told it."""
    return _ready(admin_port) and _listens(port)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _ready(admin_port: int) -> bool:
    url = f"http://127.0.0.1:{admin_port}/readyz"
    with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5):
        return True
    return False


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
