"""Keeps the inventory in step with the API server.

kopf watches and tells of every change at once. What it cannot tell is that its first listing is
complete, nor which objects went while a connection was away. So everything is listed before
anything is decided, and again twice a minute and whenever kopf had to list anew. These later
listings come from the API server's memory: with thousands of resources one from its store would
take most of a second of its time.

kopf takes an event loop for its own: it cancels every task in it when it stops. So it gets one,
in a thread.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import kopf
from kubernetes_asyncio.client import ApiException

from prism.resources import GROUP, KINDS
from prism_operator.api import (
    PLURALS,
    UNREACHABLE,
    VERSION,
    Listing,
    Resources,
    connection_info,
)
from prism_operator.forgetful import NoLastState, NoProgress
from prism_operator.inventory import Inventory

log = logging.getLogger(__name__)

_LIST_EVERY_S = 30.0
_RETRY_S = 1.0
_PAUSE_S = 0.5
"""Once kopf has told of nothing that it lists for so long, its listing is over."""
_AT_ONCE = 10
"""Documents that are parsed in one go; then others get their turn."""


class Watch:
    """Watches both kinds in some namespaces; none means everywhere.

    ``changed`` is called in the loop that ``run`` runs in, after each change that matters;
    ``synced`` is set once everything was listed.
    """

    def __init__(
        self,
        resources: Resources,
        inventory: Inventory,
        namespaces: tuple[str, ...],
        changed: Callable[[], None],
        synced: asyncio.Event,
    ) -> None:
        self._resources = resources
        self._inventory = inventory
        self._namespaces = namespaces
        self._changed = changed
        self._again = asyncio.Event()
        self._noted: deque[tuple[str | None, Mapping[str, Any]]] = deque()
        self._synced = synced

    async def run(self) -> None:
        """List and watch until cancelled."""
        while True:
            await self._list_until_it_works()
            stop, ended = threading.Event(), asyncio.Event()
            loop = asyncio.get_running_loop()
            watching = threading.Thread(
                target=self._watch, args=(loop, stop, ended), name="kopf", daemon=True
            )
            watching.start()
            try:
                await self._relist_until(ended)
            finally:
                stop.set()
            log.warning("the watch ended and is begun again")
            await asyncio.sleep(_RETRY_S)

    async def _list_until_it_works(self) -> None:
        said = ""
        while True:
            try:
                await self._list(self._resources.list)
            except UNREACHABLE as error:
                why = _explained(error)
                if why != said:
                    log.warning("the resources cannot be listed: %s", why)
                said = why
                await asyncio.sleep(_RETRY_S)
            else:
                self._synced.set()
                return

    async def _relist_until(self, ended: asyncio.Event) -> None:
        """List now and then, until the watch has ended."""
        while not ended.is_set():
            waits = [asyncio.ensure_future(event.wait()) for event in (ended, self._again)]
            try:
                await asyncio.wait(
                    waits, timeout=_LIST_EVERY_S, return_when=asyncio.FIRST_COMPLETED
                )
            finally:
                for wait in waits:
                    wait.cancel()
            while self._again.is_set() and not ended.is_set():
                self._again.clear()
                await asyncio.sleep(_PAUSE_S)
            if not ended.is_set():
                try:
                    await self._list_again()
                except UNREACHABLE as error:
                    log.info("the resources could not be listed again: %s", _explained(error))

    async def _list_again(self) -> None:
        async def cached(kind: str, namespace: str) -> Listing:
            newest = self._inventory.newest(kind)
            return await self._resources.list_cached(kind, namespace, newest)

        try:
            await self._list(cached)
        except ApiException as error:
            # Its memory may be too far behind, after a restart say.
            log.debug("the API server's memory does not serve: %s", _explained(error))
            await self._list(self._resources.list)

    async def _list(self, ask: Callable[[str, str], Awaitable[Listing]]) -> None:
        changed = False
        for kind in KINDS:
            for namespace in self._namespaces or ("",):
                listing = await ask(kind, namespace)
                for index, document in enumerate(listing.documents):
                    changed |= self._inventory.put(document)
                    if index % _AT_ONCE == _AT_ONCE - 1:
                        await asyncio.sleep(0)
                changed |= self._inventory.listed(
                    kind, namespace, listing.documents, listing.version
                )
        if changed or not self._synced.is_set():
            self._changed()

    def _watch(
        self, loop: asyncio.AbstractEventLoop, stop: threading.Event, ended: asyncio.Event
    ) -> None:
        """kopf, in a thread of its own."""

        def tell(call: Callable[..., None], *args: Any) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(call, *args)

        def note(event: Mapping[str, Any], **_: Any) -> None:
            self._noted.append((event["type"], event["object"]))
            # One call for all that have come since the last: waking another thread is dear.
            if len(self._noted) == 1:
                tell(self._take_notes)

        try:
            kopf.run(
                registry=_registry(note),
                settings=_settings(),
                standalone=True,
                clusterwide=not self._namespaces,
                namespaces=self._namespaces,
                stop_flag=stop,
            )
        except Exception as error:
            log.warning("the watch failed: %s", error)
        finally:
            tell(ended.set)

    def _take_notes(self) -> None:
        for _ in range(_AT_ONCE):
            if not self._noted:
                return
            # Left in place until it is done with, so that none comes and nobody is called.
            try:
                self._note(*self._noted[0])
            except Exception:
                log.exception("an event of the watch was lost; the next listing makes up for it")
            self._noted.popleft()
        asyncio.get_running_loop().call_soon(self._take_notes)

    def _note(self, kind: str | None, document: Mapping[str, Any]) -> None:
        if kind == "DELETED":
            changed = self._inventory.remove(document)
        else:
            changed = self._inventory.put(document)
            if kind is None:
                # kopf lists: at its start, or since it lost track. Some may be gone.
                self._again.set()
        if changed:
            self._changed()


def _registry(note: Callable[..., None]) -> kopf.OperatorRegistry:
    registry = kopf.OperatorRegistry()

    async def handle(**kwargs: Any) -> None:
        note(**kwargs)

    async def login(**_: Any) -> kopf.ConnectionInfo:
        return await connection_info()

    for plural in PLURALS.values():
        kopf.on.event(GROUP, VERSION, plural, registry=registry)(handle)
    kopf.on.login(registry=registry)(login)
    return registry


def _settings() -> kopf.OperatorSettings:
    """kopf only watches: no Events, no peering, no look at which namespaces and kinds there are
    (that would need rights in the whole cluster). Its event handlers never write."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.peering.standalone = True
    settings.queueing.idle_timeout = 1.0
    settings.networking.request_timeout = 30.0
    settings.persistence.diffbase_storage = NoLastState()
    settings.persistence.progress_storage = NoProgress()
    return settings


def _explained(error: BaseException) -> str:
    if isinstance(error, ApiException):
        if error.status == 404:
            return f"the CRDs of {GROUP} are not installed"
        if error.status == 403:
            return f"no right to list them ({error.reason}); see the operator's RBAC rules"
        return f"{error.status} {error.reason}"
    return str(error) or type(error).__name__
