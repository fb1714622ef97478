"""The composition root: puts the parts of one server together and runs them until told to stop."""

from __future__ import annotations

import asyncio
import gc
import logging
import ssl
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from aiohttp import web

from prism.resources import Problem
from prism.routing.catalog import Catalog
from prism.serve.admin import Admin
from prism.serve.ads import Ads, Refused
from prism.serve.classifying import BatchClassifier, Classifying
from prism.serve.configuration import Configuration
from prism.serve.credentials import Credentials, names_in
from prism.serve.envoy_admin import EnvoyAdmin
from prism.serve.folder import BrokenConfiguration, LastGood, changes, load
from prism.serve.health import HealthTracker
from prism.serve.outcomes import Outcomes
from prism.serve.processor import Processor
from prism.serve.recent import Recent
from prism.wire import access_log, ext_proc, xds

log = logging.getLogger(__name__)

LARGEST_MESSAGE = 64 * 1024 * 1024
"""Bytes of one gRPC message: the largest body that Envoy may be told to accept, and more."""


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Where a server finds its configuration and where it listens.

    ``socket`` is the unix socket for Envoy, ``envoy_admin`` that of Envoy's admin
    interface. ``admin`` is host and port of the admin endpoints, ``None`` for none.
    """

    config: Path
    socket: Path
    envoy_admin: Path
    last_good: Path
    credentials: Path | None
    admin: tuple[str, int] | None


class Server:
    """One external processor with its control plane."""

    def __init__(self, settings: ServerSettings, classifier: BatchClassifier) -> None:
        self._settings = settings
        self._classifier = classifier
        self._problems: list[Problem] = []
        self._refused = ""
        self._catalog: Catalog | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until ``stop``; then finish the requests under way."""
        settings = self._settings
        async with AsyncExitStack() as stack:
            asks = Classifying(self._classifier)
            stack.callback(asks.close)
            recent, health, ads = Recent(), HealthTracker(time.monotonic), Ads()
            processor = Processor(asks.classify, health, recent)
            server = _grpc_server(processor, ads, Outcomes(processor, recent, health))
            settings.socket.parent.mkdir(parents=True, exist_ok=True)
            settings.socket.unlink(missing_ok=True)
            server.add_insecure_port(f"unix:{settings.socket}")
            configuration = Configuration(
                ads, processor, _ca_file(), EnvoyAdmin(settings.envoy_admin).settled
            )
            stack.push_async_callback(configuration.close)
            credentials = Credentials(settings.credentials)
            last_good = LastGood(settings.last_good)
            await self._start(configuration, credentials, last_good)
            await server.start()
            stack.push_async_callback(server.stop, grace=5)
            _tune_garbage_collection()
            admin = Admin(processor, ads, recent, health, self._status)
            await self._serve_admin(admin, stack)
            await self._watch(configuration, credentials, last_good, stop)

    async def _start(
        self, configuration: Configuration, credentials: Credentials, last_good: LastGood
    ) -> None:
        """Go live before the first Envoy connects: from the folder, else from the last good."""
        await self._reload(configuration, credentials, last_good)
        if self._catalog is None and (catalog := last_good.load()) is not None:
            log.warning("going on with the last good configuration, %s", catalog.version)
            await self._apply(configuration, credentials, catalog)

    async def _watch(
        self,
        configuration: Configuration,
        credentials: Credentials,
        last_good: LastGood,
        stop: asyncio.Event,
    ) -> None:
        async for _ in changes(self._settings.config, self._settings.credentials, stop=stop):
            await self._reload(configuration, credentials, last_good)

    async def _reload(
        self, configuration: Configuration, credentials: Credentials, last_good: LastGood
    ) -> None:
        try:
            # Off the event loop: thousands of resources take seconds to check.
            loaded = await asyncio.to_thread(load, self._settings.config)
        except BrokenConfiguration as broken:
            self._problems = list(broken.problems)
            for problem in broken.problems:
                log.error("%s", problem)
            live = "none" if self._catalog is None else self._catalog.version
            log.error("configuration refused; live is %s", live)
            return
        catalog, resources, self._problems = loaded
        for problem in self._problems:
            log.warning("%s", problem)
        if await self._apply(configuration, credentials, catalog):
            await asyncio.to_thread(last_good.save, catalog, resources)

    async def _apply(
        self, configuration: Configuration, credentials: Credentials, catalog: Catalog
    ) -> bool:
        names = names_in(catalog)
        keys = await asyncio.to_thread(credentials.read, names)
        for name in names:
            if name not in keys:
                log.warning("no key %s: models that need it are not used", name)
        try:
            await configuration.apply(catalog, keys)
        except (Refused, ValueError) as error:
            self._refused = str(error)
            log.error("configuration refused by Envoy: %s", error)
            return False
        self._refused = ""
        self._catalog = catalog
        log.info(
            "configuration %s is live: tables %d, policies %d",
            catalog.version,
            len(catalog.tables),
            len(catalog.policies),
        )
        return True

    async def _serve_admin(self, admin: Admin, stack: AsyncExitStack) -> None:
        if self._settings.admin is None:
            return
        runner = web.AppRunner(admin.application(), access_log=None)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        host, port = self._settings.admin
        await web.TCPSite(runner, host, port).start()

    def _status(self) -> dict[str, Any]:
        return {
            "problems": [problem.to_json() for problem in self._problems],
            "refusedByEnvoy": self._refused or None,
        }


def _grpc_server(processor: Processor, ads: Ads, outcomes: Outcomes) -> Any:
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", LARGEST_MESSAGE),
            ("grpc.max_send_message_length", LARGEST_MESSAGE),
        ]
    )
    # Answers are encoded where they are made, so no serialiser stands in between.
    methods = {
        ext_proc.SERVICE: {
            ext_proc.METHOD: grpc.stream_stream_rpc_method_handler(
                processor.process, request_deserializer=ext_proc.decode
            )
        },
        xds.SERVICE: {
            xds.METHOD: grpc.stream_stream_rpc_method_handler(
                ads.stream, request_deserializer=xds.decode
            )
        },
        access_log.SERVICE: {
            access_log.METHOD: grpc.stream_unary_rpc_method_handler(
                outcomes.stream, request_deserializer=access_log.decode
            )
        },
    }
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler(name, handlers) for name, handlers in methods.items()]
    )
    return server


def _tune_garbage_collection() -> None:
    """What is there now stays: look at it no more, and at the young ones less often.

    Decisions kept in memory make each full collection long; nearly all garbage of a request
    is freed by reference counts anyway.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)


def _ca_file() -> str:
    """The machine's bundle of trusted certificate authorities."""
    paths = ssl.get_default_verify_paths()
    candidates = [
        paths.cafile,
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
    ]
    return next((path for path in candidates if path and Path(path).is_file()), candidates[1] or "")
