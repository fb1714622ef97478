"""From a catalog to live: clusters to Envoy, wait for its word, swap the plan, retire the old.

Make before break: a plan is used only once Envoy has every cluster that it names, and a
cluster goes only when no request decided under an older plan can start an attempt on it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from prism.envoy.dynamic import Fallback, cluster, fallback_cluster, fallback_secret, routes
from prism.exchange.targets import Live, Target, compile_live
from prism.routing.catalog import Catalog, FailureMode
from prism.routing.plan import compile_plan
from prism.serve.ads import Ads, Refused, by_name
from prism.serve.processor import Processor
from prism.wire import xds
from prism.wire.xds import Encoded

log = logging.getLogger(__name__)

_MARGIN_S = 10.0
"""Seconds that a retired cluster stays beyond the last moment an attempt could start."""


@dataclass(frozen=True, slots=True)
class _Retired:
    """A target that no newer decision names, and when it may go (loop seconds)."""

    target: Target
    until: float


class Configuration:
    """Puts catalogs live, one after the other. ``settled`` waits until Envoy has warmed up
    the clusters that it acknowledged."""

    def __init__(
        self,
        ads: Ads,
        processor: Processor,
        ca_file: str,
        settled: Callable[[], Awaitable[None]],
    ) -> None:
        self._ads = ads
        self._processor = processor
        self._ca_file = ca_file
        self._settled = settled
        self._retired: dict[str, _Retired] = {}
        self._encoded: dict[str, Encoded] = {}
        self._linger_s = 0.0
        self._fallback: dict[str, Encoded] = {}
        self._turn = asyncio.Lock()
        self._cleaning: asyncio.Task[None] | None = None

    async def apply(self, catalog: Catalog, keys: Mapping[str, str]) -> Live:
        """Put a catalog live; raises ``Refused`` where Envoy would not take it."""
        async with self._turn:
            # Off the event loop: requests must not wait for thousands of policies.
            live = await asyncio.to_thread(_compiled, catalog, keys, self._processor.live)
            fallback = fallback_of(catalog, live)
            retired = self._retire(live)
            clusters = {**{name: r.target for name, r in retired.items()}, **live.clusters}
            wanted = {name: self._cluster(target) for name, target in clusters.items()}
            extra, secrets = self._fallback_parts(fallback)
            await self._ads.publish({xds.SECRET: secrets, xds.CLUSTER: {**wanted, **extra}})
            await self._settled()
            # Requests under way hold their own plan; their later attempts look here.
            self._processor.live = dataclasses.replace(live, clusters=clusters)
            self._retired, self._encoded, self._fallback = retired, wanted, extra
            self._linger_s = _longest(catalog)
            route = xds.encode(xds.ROUTES, routes(fallback))
            await self._ads.publish({xds.ROUTES: {route.name: route}})
            self._clean_later()
            return live

    def _retire(self, live: Live) -> dict[str, _Retired]:
        """Targets of the plan so far that the new one lacks, with those retired before."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        retired = {
            name: old
            for name, old in self._retired.items()
            if old.until > now and name not in live.clusters
        }
        before = self._processor.live
        for name, target in {} if before is None else before.clusters.items():
            if name not in live.clusters and name not in self._retired:
                retired[name] = _Retired(target, now + self._linger_s + _MARGIN_S)
        return retired

    def _cluster(self, target: Target) -> Encoded:
        # A cluster's name tells all that it is made of, so one name never changes.
        known = self._encoded.get(target.cluster)
        return known or xds.encode(xds.CLUSTER, cluster(target, self._ca_file))

    def _fallback_parts(self, fallback: Fallback) -> tuple[dict[str, Encoded], dict[str, Encoded]]:
        target = fallback.target
        if target is None:
            return {}, {}
        clusters = [xds.encode(xds.CLUSTER, fallback_cluster(target, self._ca_file))]
        secrets = []
        if target.keys:
            secrets = [xds.encode(xds.SECRET, fallback_secret(target))]
        return by_name(clusters), by_name(secrets)

    def _clean_later(self) -> None:
        if self._cleaning is not None:
            self._cleaning.cancel()
        if self._retired:
            self._cleaning = asyncio.create_task(self._clean())

    async def _clean(self) -> None:
        """Take retired clusters away, each at its time."""
        loop = asyncio.get_running_loop()
        while self._retired:
            await asyncio.sleep(min(r.until for r in self._retired.values()) - loop.time())
            async with self._turn:
                now = loop.time()
                self._retired = {n: r for n, r in self._retired.items() if r.until > now}
                live = self._processor.live
                if live is None:
                    return
                names = {**live.targets_by_cluster(), **self._retired}
                self._encoded = {n: item for n, item in self._encoded.items() if n in names}
                kept = {n: t for n, t in live.clusters.items() if n in names}
                self._processor.live = dataclasses.replace(live, clusters=kept)
                try:
                    await self._ads.publish({xds.CLUSTER: {**self._encoded, **self._fallback}})
                except Refused as error:
                    log.warning("retired clusters stay: %s", error)

    async def close(self) -> None:
        """Stop cleaning."""
        if self._cleaning is not None:
            self._cleaning.cancel()
            await asyncio.gather(self._cleaning, return_exceptions=True)


def _compiled(catalog: Catalog, keys: Mapping[str, str], before: Live | None) -> Live:
    plan = compile_plan(catalog, None if before is None else before.plan)
    return compile_live(plan, catalog, keys)


def fallback_of(catalog: Catalog, live: Live) -> Fallback:
    """What Envoy does alone. The catalog's failure modes are those in force, so Open has been
    found safe; what only this gateway knows is whether the key is there."""
    table = catalog.tables[catalog.default_table]
    if table.failure_mode is FailureMode.CLOSED:
        return Fallback(None, "failure mode Closed")
    name = table.cells[table.classifier.safe_task, table.default_mode][0]
    target = live.targets[table.name, name]
    if target.missing_key is not None:
        return Fallback(None, f"the key {target.missing_key} is missing")
    return Fallback(target, f"failure mode Open: {name}")


def _longest(catalog: Catalog) -> float:
    """Seconds from a decision to the last moment at which one of its attempts can start."""
    return max(
        (table.retry.max_attempts - 1) * table.retry.attempt_timeout_s
        for table in catalog.tables.values()
    )
