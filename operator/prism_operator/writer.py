"""Stores snapshots in the background, so that no replica waits for the API server."""

from __future__ import annotations

import asyncio
import logging

from kubernetes_asyncio.client import ApiException

from prism_operator.api import UNREACHABLE
from prism_operator.events import Message, Recorder, config_map
from prism_operator.metrics import Metrics
from prism_operator.store import Store, TooLarge

log = logging.getLogger(__name__)

_RETRY_S = 1.0


class Writer:
    """Stores snapshots in the background; of several that wait only the newest."""

    def __init__(self, store: Store, events: Recorder, metrics: Metrics) -> None:
        self._store = store
        self._events = events
        self._metrics = metrics
        self._waiting: tuple[str, bytes] | None = None
        self._wake = asyncio.Event()

    def store(self, version: str, encoded: bytes) -> None:
        self._waiting = (version, encoded)
        self._metrics.stored.set(0)
        self._wake.set()

    async def run(self) -> None:
        """Store until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting is not None:
                waiting, self._waiting = self._waiting, None
                if not await self._write(*waiting):
                    self._waiting = self._waiting or waiting
                    await asyncio.sleep(_RETRY_S)

    async def _write(self, version: str, encoded: bytes) -> bool:
        """Whether it is done with, stored or never to be."""
        try:
            await self._store.write(version, encoded)
        except TooLarge as error:
            message = f"{error}. Replicas get it over the stream; a replica that starts while no "
            message += "operator answers starts from an older one. Split the gateway in two."
            log.warning(message)
            where = config_map(self._store.namespace, self._store.name)
            self._events.say(where, Message("Warning", "SnapshotTooLarge", message))
            return True
        except UNREACHABLE as error:
            self._metrics.failed_writes.inc()
            log.warning("snapshot %s cannot be stored: %s", version, error)
            if isinstance(error, ApiException) and error.status in (404, 409):
                await self._catch_up()
            return False
        self._metrics.stored.set(1)
        return True

    async def _catch_up(self) -> None:
        """Someone else wrote or deleted the ConfigMap: know it as it is before writing again."""
        try:
            await self._store.look()
        except UNREACHABLE as error:
            log.info("the stored snapshot cannot be read: %s", error)
