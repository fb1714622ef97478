"""``prism run``: Envoy and the external processor as two child processes, kept alive.

They are processes of their own so that each can die without the other: while Prism is away
Envoy answers as the failure mode says, and while Envoy is away the configuration is kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from prism.envoy.bootstrap import Settings, bootstrap_json
from prism.envoy.tracing import Tracing
from prism.serve.draining import drained
from prism.serve.envoy_admin import EnvoyAdmin

log = logging.getLogger(__name__)

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
STEADY_S = 10.0
"""A child that lived this long starts anew at once; one that keeps dying waits longer."""
STOP_S = 10.0
"""How long a child may take to end before it is killed."""
ENVOY_OPTIONS = (
    *("--log-level", "warning"),
    # Known and accepted: extensions in development, no limit of connections. And one line
    # for each request while Prism is away would say nothing that one line does not.
    *("--component-log-level", "misc:error,main:error,ext_proc:error,config:error"),
    # Several gateways on one machine must not share Envoy's hot-restart memory.
    "--disable-hot-restart",
    # While draining, every answer says "connection: close", not a growing share of them.
    *("--drain-strategy", "immediate"),
)
"""How Envoy is started, wherever it runs."""
_PR_SET_PDEATHSIG = 1  # prctl(2)


@dataclass(frozen=True, slots=True)
class RunSettings:
    """``run_dir`` holds the sockets and Envoy's bootstrap. ``prism_timeout_s`` is how
    long Envoy waits for Prism, ``drain_s`` how long requests under way may take once a stop was
    asked for."""

    envoy: Path
    run_dir: Path
    host: str
    port: int
    max_body: int
    prism_timeout_s: float
    concurrency: int | None
    drain_s: float
    serve_arguments: Sequence[str]
    tracing: Tracing | None = None

    @property
    def socket(self) -> Path:
        """Where Prism serves Envoy."""
        return self.run_dir / "prism.sock"

    @property
    def envoy_admin(self) -> Path:
        """Where Envoy's admin interface listens."""
        return self.run_dir / "envoy-admin.sock"


class Child:
    """A process that is started again whenever it ends, until it is told to stop."""

    def __init__(self, name: str, command: Sequence[str]) -> None:
        self.name = name
        self._command = command
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False
        self.starts = 0

    async def run(self) -> None:
        """Keep it running; returns after ``stop``."""
        loop = asyncio.get_running_loop()
        pause = FIRST_PAUSE_S
        while not self._stopping:
            started = loop.time()
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                # A Ctrl-C at the terminal reaches the supervisor alone, which ends the
                # children in order; should it be killed, the kernel ends them.
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
            self.starts += 1
            status = await self._process.wait()
            if self._stopping:
                return
            pause = FIRST_PAUSE_S if loop.time() - started > STEADY_S else pause
            log.error("%s ended (%s); starting it again", self.name, _reason(status))
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)

    async def stop(self) -> None:
        """End it, with force where it does not end by itself."""
        self._stopping = True
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), STOP_S)
            except TimeoutError:
                log.warning("%s does not end; killing it", self.name)
                process.kill()


class Supervisor:
    """Runs both children; ``ready`` is called once the gateway takes requests."""

    def __init__(self, settings: RunSettings, ready: Callable[[], None]) -> None:
        self._settings = settings
        self._ready = ready
        self._admin = EnvoyAdmin(settings.envoy_admin)
        self.prism = Child("prism", _serve_command(settings))
        self.envoy = Child("envoy", _envoy_command(settings))

    async def run(self, stop: asyncio.Event, now: asyncio.Event) -> None:
        """Run until ``stop``, then drain; ``now`` cuts the draining short."""
        _write_bootstrap(self._settings)
        tasks = [asyncio.create_task(child.run()) for child in (self.prism, self.envoy)]
        announcing = asyncio.create_task(self._announce())
        try:
            await stop.wait()
        finally:
            announcing.cancel()
            await drained(self._admin, self._settings.drain_s, now)
            await self.envoy.stop()
            await self.prism.stop()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, announcing, return_exceptions=True)

    async def _announce(self) -> None:
        while not await self._listening():  # noqa: ASYNC110 - another process can't set an event
            await asyncio.sleep(0.05)
        self._ready()

    async def _listening(self) -> bool:
        with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
            return (await self._admin.get("/ready")).strip() == "LIVE"
        return False


def free_port(host: str) -> int:
    """A port of ``host`` that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def _serve_command(settings: RunSettings) -> list[str]:
    return [
        sys.executable,
        "-m",
        "prism",
        "serve",
        "--socket",
        str(settings.socket),
        "--envoy-admin",
        str(settings.envoy_admin),
        *settings.serve_arguments,
    ]


def _envoy_command(settings: RunSettings) -> list[str]:
    command = [
        str(settings.envoy),
        "--config-path",
        str(_bootstrap_path(settings)),
        *ENVOY_OPTIONS,
    ]
    if settings.concurrency is not None:
        command += ["--concurrency", str(settings.concurrency)]
    return command


def _bootstrap_path(settings: RunSettings) -> Path:
    return settings.run_dir / "envoy.json"


def _write_bootstrap(settings: RunSettings) -> None:
    document = bootstrap_json(
        Settings(
            host=settings.host,
            port=settings.port,
            socket=str(settings.socket),
            admin_socket=str(settings.envoy_admin),
            max_body=settings.max_body,
            message_timeout_ms=round(settings.prism_timeout_s * 1000),
            tracing=settings.tracing,
        )
    )
    _bootstrap_path(settings).write_text(document, "utf-8")


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _reason(status: int) -> str:
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
