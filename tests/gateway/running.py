"""Runs the real things: ``prism run`` as a process, simulated providers in a thread."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from prism.providers import ProviderSpec, SimulatedProviders
from prism.serve.envoy_admin import EnvoyAdmin

# Reading every authority of the machine takes longer than a request, and there is no TLS here.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
PATIENCE_S = 120.0
"""How long a test waits for something that must happen; a busy machine is slow."""
_LONGEST_STEP_S = 2.0


def until(condition: Callable[[], Any], what: str, patience: float = PATIENCE_S) -> Any:
    """Wait for a condition and return its value; what is not awaited by an event is polled."""
    waited, last = 0.0, time.monotonic()
    while waited < patience:
        if value := condition():
            return value
        time.sleep(0.01)
        now = time.monotonic()
        # A machine that stood still meanwhile was no time to do anything in.
        waited += min(now - last, _LONGEST_STEP_S)
        last = now
    raise AssertionError(f"waited {patience:g} s for {what}")


@contextmanager
def simulated(specs: Sequence[ProviderSpec]) -> Iterator[SimulatedProviders]:
    """Simulated providers on an event loop of their own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    providers = SimulatedProviders(specs)
    asyncio.run_coroutine_threadsafe(providers.__aenter__(), loop).result(PATIENCE_S)
    try:
        yield providers
    finally:
        ending = providers.__aexit__(None, None, None)
        asyncio.run_coroutine_threadsafe(ending, loop).result(PATIENCE_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE_S)


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Gateway:
    """A ``prism run`` in a process of its own."""

    def __init__(self, config: Path, scratch: Path, keys: dict[str, str], *options: str) -> None:
        self.config = config
        self.log = scratch / "gateway.log"
        self.admin = f"http://127.0.0.1:{free_port()}"
        environment = {**os.environ, **keys, "PYTHONUNBUFFERED": "1"}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "prism", "run", "--config", str(config)),
                    *("--listen", "127.0.0.1:0", "--admin", self.admin.removeprefix("http://")),
                    *("--state", str(scratch / "state"), "--concurrency", "1"),
                    *options,
                ],
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.url = until(self._address, f"the gateway to listen; its log: {self.log}")
        until(self.ready, "the gateway to be ready")

    def _address(self) -> str | None:
        if self.process.poll() is not None:
            raise AssertionError(f"prism run ended:\n{self.log.read_text()}")
        for line in self.log.read_text().splitlines():
            if line.startswith("Prism is listening on "):
                return line.removeprefix("Prism is listening on ")
        return None

    @property
    def base_url(self) -> str:
        """What an OpenAI client is given."""
        return f"{self.url}/v1"

    def ready(self) -> bool:
        """Whether the readiness endpoint says so."""
        try:
            return httpx.get(f"{self.admin}/readyz", verify=NO_TLS).status_code == 200
        except httpx.TransportError:
            return False

    def status(self) -> dict[str, Any]:
        """The admin endpoint ``/status``."""
        found = httpx.get(f"{self.admin}/status", verify=NO_TLS).raise_for_status()
        answer: dict[str, Any] = found.json()
        return answer

    def record(self, decision_id: str) -> dict[str, Any]:
        """A decision's record once its outcome has been joined."""

        def joined() -> dict[str, Any] | None:
            answer = httpx.get(f"{self.admin}/decisions/{decision_id}", verify=NO_TLS)
            found: dict[str, Any] = answer.json() if answer.status_code == 200 else {}
            return found if found.get("outcome") else None

        found: dict[str, Any] = until(joined, f"the outcome of decision {decision_id}")
        return found

    def children(self) -> dict[str, int]:
        """Process ids of ``prism serve`` and ``envoy``, by name."""
        import psutil

        found = {}
        for child in psutil.Process(self.process.pid).children():
            with contextlib.suppress(psutil.NoSuchProcess):  # a zombie is one, too
                found["prism" if "serve" in child.cmdline() else "envoy"] = child.pid
        return found

    def children_gone(self) -> bool:
        """Whether nothing is left that this gateway has started."""
        import psutil

        commands = [p.info["cmdline"] or [] for p in psutil.process_iter(["cmdline"])]
        return not [command for command in commands if str(self.config) in command]

    def counter(self, name: str) -> int:
        """A counter of its Envoy."""
        import psutil

        command = psutil.Process(self.children()["envoy"]).cmdline()
        bootstrap = Path(command[command.index("--config-path") + 1])
        admin = EnvoyAdmin(next(bootstrap.parent.glob("*admin*.sock")))
        text = asyncio.run(admin.get(f"/stats?filter=^{name}$"))
        return int(text.rpartition(": ")[2])

    def kill(self, name: str) -> None:
        """Kill a child with SIGKILL."""
        os.kill(self.children()[name], signal.SIGKILL)

    def stop(self) -> int:
        """Ask it to end as Ctrl-C does; returns its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(PATIENCE_S)
        finally:
            self.process.kill()


def chat(text: str, **more: Any) -> dict[str, Any]:
    """The body of a chat request."""
    return {"model": "auto", "messages": [{"role": "user", "content": text}], **more}


def error_of(response: httpx.Response) -> dict[str, Any]:
    """The error of an answer in OpenAI's shape; fails where it has another."""
    assert response.headers["content-type"].startswith("application/json"), response.text
    error: dict[str, Any] = json.loads(response.content)["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"]
    return error
