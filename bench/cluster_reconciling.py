"""An operator over many resources: when they are live, and when each of them says so."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import time
import urllib.request
from collections.abc import Callable

import cluster_documents as documents
import psutil
from tests.cluster.node import Pod
from tests.cluster.release import GatewayPod, Release

from prism.resources import read_document, version_of

_PATIENCE_S = 180.0
_LOOK_S = 0.1
_CALM_S = 1.0
"""Once no status was written for so long, all of them are looked at."""
_REST = 0.1
_HEALTH = 8081


class Reconciling:
    """Starts the operators of a release over ``items``, which are applied but never seen."""

    def __init__(self, release: Release, upstream_port: int) -> None:
        self._release = release
        self.items = documents.many(upstream_port)
        read = (read_document(item)[0] for item in self.items)
        self._version = version_of(resource for resource in read if resource)

    async def first(self) -> tuple[float, float]:
        """Seconds from starting one operator until all replicas run everything, and until every
        status has said so."""
        operator = self._release.operators[0]
        start = time.perf_counter()
        operator.start("operator")
        await _until(lambda: all(map(self._runs_everything, self._release.gateways)))
        live = time.perf_counter() - start
        return live, await self._written(operator) - start

    async def again(self) -> tuple[float, int]:
        """Seconds from starting it once more, over resources that are as they were, until it has
        heard from all replicas; and the statuses that it has written some seconds later."""
        operator = self._release.operators[0]
        operator.stop()
        start = time.perf_counter()
        operator.start("operator")
        current = 'prism_operator_replicas{state="current"}'
        await _until(lambda: metric(operator, current) == len(self._release.gateways))
        heard = time.perf_counter() - start
        await asyncio.sleep(5)  # longer than it waits for replicas before it writes their number
        return heard, int(metric(operator, "prism_operator_status_writes_total"))

    async def others(self) -> None:
        """Start the other operators, too, and wait until they know everything and rest."""
        for operator in self._release.operators[1:]:
            operator.start("operator")
        for operator in self._release.operators:
            await _until(lambda o=operator: _get(o, "readyz") is not None)  # type: ignore[misc]
        # Ready they are once they have listed everything; then their watches begin.
        async with asyncio.timeout(_PATIENCE_S):
            while sum([await _busy(o.pid("operator")) for o in self._release.operators]) > _REST:
                pass

    def _runs_everything(self, gateway: GatewayPod) -> bool:
        return bool(gateway.status().get("planVersion") == self._version)

    async def _written(self, operator: Pod) -> float:
        """When (``time.perf_counter``) the last status was written.

        By the operator's own count, for looking at all of them takes much of an API server's
        time; looked at they are once it writes no more.
        """
        count, since = 0.0, time.perf_counter()
        async with asyncio.timeout(_PATIENCE_S):
            while True:
                found = await asyncio.to_thread(
                    metric, operator, "prism_operator_status_writes_total"
                )
                now = time.perf_counter()
                if found != count:
                    count, since = found, now
                elif now - since > _CALM_S and await asyncio.to_thread(self._all_programmed):
                    return since
                await asyncio.sleep(_LOOK_S)

    def _all_programmed(self) -> bool:
        path = f"/apis/routing.prism.dev/v1alpha1/namespaces/{self._release.namespace}"
        for plural, number in (
            ("routingtables", documents.TABLES),
            ("projectpolicies", documents.POLICIES),
        ):
            items = json.loads(self._release.kubectl("get", "--raw", f"{path}/{plural}"))["items"]
            if sum(map(_programmed, items)) < number:
                return False
        return True


async def _busy(pid: int) -> float:
    """The share of a second for which a process is busy."""
    process = psutil.Process(pid)
    before = process.cpu_times()
    await asyncio.sleep(1)
    now = process.cpu_times()
    return float(now.user - before.user + now.system - before.system)


async def _until(holds: Callable[[], bool]) -> None:
    """Look until it holds, not too often: each look costs processor time."""
    async with asyncio.timeout(_PATIENCE_S):
        while not await asyncio.to_thread(holds):  # noqa: ASYNC110 - other processes set no event
            await asyncio.sleep(_LOOK_S)


def metric(operator: Pod, name: str) -> float:
    """A metric of an operator; 0 while it has none."""
    text = _get(operator, "metrics") or ""
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.M)
    return float(found[1]) if found else 0.0


def _get(operator: Pod, path: str) -> str | None:
    url = f"http://127.0.0.1:{operator.port(_HEALTH)}/{path}"
    with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=10) as answer:
        return str(answer.read().decode())
    return None


def _programmed(item: documents.Document) -> bool:
    return any(
        c["type"] == "Programmed"
        and c["status"] == "True"
        and c["observedGeneration"] == item["metadata"]["generation"]
        for c in item.get("status", {}).get("conditions", ())
    )
