"""The running operator: every part started, and ended in order."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from aiohttp import web

from prism_operator import health, webhook
from prism_operator.api import Resources, connect
from prism_operator.controller import Controller
from prism_operator.events import Recorder
from prism_operator.inventory import Inventory
from prism_operator.leader import Leadership
from prism_operator.metrics import Metrics
from prism_operator.store import Store
from prism_operator.stream import OPTIONS
from prism_operator.tls import HttpsContext, server_credentials
from prism_operator.watching import Watch

log = logging.getLogger(__name__)

Address = tuple[str, int]

_REFRESH_S = 10.0
_GRACE_S = 1.0
"""Seconds for replicas to hear that they should go elsewhere."""


class CannotListen(Exception):
    """An address is taken, or not this machine's."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the command line says. ``namespaces`` empty means all. ``webhook`` and
    ``webhook_tls`` go together."""

    namespaces: tuple[str, ...]
    own_namespace: str
    listen: Address
    tls: Path
    health: Address
    snapshot: str
    lease: str
    identity: str
    webhook: Address | None = None
    webhook_tls: Path | None = None


async def run(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT. Raises ``NoCluster``, ``BadCertificates`` or
    ``CannotListen`` at the start; after it nothing but a defect ends it."""
    _collect_less()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with connect() as client, connect() as lease, contextlib.AsyncExitStack() as stack:
        metrics, inventory = Metrics(), Inventory()
        resources = Resources(client)
        store = Store(client, settings.own_namespace, settings.snapshot)
        recorder = Recorder(client, settings.identity)
        synced = asyncio.Event()
        controller = Controller(inventory, resources, store, recorder, metrics, synced)
        watch = Watch(resources, inventory, settings.namespaces, controller.changed, synced)
        # Over a connection of its own: it must not wait behind thousands of statuses.
        leadership = Leadership(
            lease, settings.own_namespace, settings.lease, settings.identity, controller.lead
        )

        def not_ready() -> str:
            return "" if synced.is_set() else "the resources have not been listed yet"

        await stack.enter_async_context(
            _http(settings.health, health.application(metrics, not_ready))
        )
        if settings.webhook is not None and settings.webhook_tls is not None:
            https = HttpsContext(settings.webhook_tls)
            application = webhook.application(controller.state, metrics)
            await stack.enter_async_context(
                _http(settings.webhook, application, https.context, "webhook")
            )
            await stack.enter_async_context(_task(_refresh(https)))
        await stack.enter_async_context(_grpc(settings, controller))
        parts = (recorder.run(), watch.run(), controller.settle_forever())
        tasks = [await stack.enter_async_context(_task(part)) for part in parts]
        # Ended first: the lease goes to the other replica while this one still answers.
        tasks.append(await stack.enter_async_context(_task(leadership.run())))
        await _until(stop, tasks)


def _collect_less() -> None:
    """Look for garbage in cycles less often: with thousands of resources in memory, looking
    through them again and again takes longer than settling them."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)


async def _until(stop: asyncio.Event, tasks: list[asyncio.Task[None]]) -> None:
    """Wait for the signal to stop, or for a part to fail, which none should."""
    stopped = asyncio.ensure_future(stop.wait())
    done, _ = await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    for task in tasks:
        if task in done:
            task.result()
            raise RuntimeError("a part of the operator ended by itself")
    log.info("stopping")


@contextlib.asynccontextmanager
async def _task(part: Any) -> AsyncIterator[asyncio.Task[None]]:
    """A part that runs until the block ends."""
    task = asyncio.create_task(part)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@contextlib.asynccontextmanager
async def _http(
    address: Address,
    application: web.Application,
    tls: ssl.SSLContext | None = None,
    what: str = "health",
) -> AsyncIterator[None]:
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=_GRACE_S)
    await runner.setup()
    try:
        site = web.TCPSite(runner, *address, ssl_context=tls)
        await site.start()
        _listening(what, *runner.addresses[0][:2])
        yield
    except OSError as error:
        raise CannotListen(f"{address[0]}:{address[1]}: {error.strerror}") from None
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def _grpc(settings: Settings, controller: Controller) -> AsyncIterator[None]:
    server = grpc.aio.server(options=OPTIONS)
    server.add_generic_rpc_handlers([controller.stream.handler()])
    host, port = settings.listen
    where = f"[{host}]" if ":" in host else host
    credentials = server_credentials(settings.tls)
    try:
        bound = server.add_secure_port(f"{where}:{port}", credentials)
    except RuntimeError as error:
        raise CannotListen(f"{where}:{port}: {error}") from None
    await server.start()
    _listening("snapshots", host, bound)
    try:
        yield
    finally:
        await server.stop(_GRACE_S)


def _listening(what: str, host: str, port: int) -> None:
    log.info("%s: listening on %s:%d", what, host, port)


async def _refresh(https: HttpsContext) -> None:
    while True:
        await asyncio.sleep(_REFRESH_S)
        https.refresh()
