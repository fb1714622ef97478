"""Questions to Envoy's own admin interface, on its unix socket."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import aiohttp
import msgspec

log = logging.getLogger(__name__)

WARMING_TIMEOUT_S = 10.0


class _Cluster(msgspec.Struct):
    name: str
    host_statuses: list[msgspec.Raw] = []


class _Clusters(msgspec.Struct):
    cluster_statuses: list[_Cluster] = []


_CLUSTERS = msgspec.json.Decoder(_Clusters)


class EnvoyAdmin:
    """Envoy's admin interface at ``socket``."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    async def get(self, path: str, *, method: str = "GET") -> str:
        """Ask; raises ``aiohttp.ClientError`` or ``OSError`` where Envoy does not answer."""
        connector = aiohttp.UnixConnector(path=str(self._socket))
        timeout = aiohttp.ClientTimeout(total=5)
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
            session.request(method, f"http://envoy{path}") as response,
        ):
            return await response.text()

    async def hosted(self) -> frozenset[str]:
        """The names of the clusters that have a host; none where Envoy does not answer."""
        if not self._socket.exists():
            return frozenset()
        try:
            found = _CLUSTERS.decode(await self.get("/clusters?format=json"))
        except (aiohttp.ClientError, OSError, TimeoutError, msgspec.MsgspecError) as error:
            log.debug("Envoy's admin interface does not tell its clusters: %s", error)
            return frozenset()
        return frozenset(c.name for c in found.cluster_statuses if c.host_statuses)

    async def listening(self) -> bool:
        """Whether Envoy's workers take connections, which is a moment after it acknowledged its
        first routes. True where there is no socket to ask at: then that Envoy isn't ours."""
        if not self._socket.exists():
            return True
        try:
            text = await self.get("/stats?filter=^listener_manager.workers_started$")
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            log.debug("Envoy's admin interface does not answer: %s", error)
            return False
        return text.strip().endswith(": 1")

    async def settled(self) -> None:
        """Wait until no cluster is warming up (its name being resolved), within reason.

        A cluster whose provider can't be resolved must not keep the rest from going live.
        """
        if not self._socket.exists():
            return
        loop = asyncio.get_running_loop()
        until = loop.time() + WARMING_TIMEOUT_S
        pause = 0.002
        while loop.time() < until:
            try:
                text = await self.get("/stats?filter=^cluster_manager.warming_clusters$")
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                log.debug("Envoy's admin interface does not answer: %s", error)
                return
            if text.strip().endswith(": 0"):
                return
            await asyncio.sleep(pause)
            pause = min(pause * 2, 0.1)
        log.warning("some clusters are still warming up after %g s", WARMING_TIMEOUT_S)
