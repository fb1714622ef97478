"""From a catalog to live: clusters to Envoy, wait for its word, swap the plan, retire the old.

Make before break: a plan is used only once Envoy has every cluster that it names, and a
cluster goes only when no request decided under an older plan can start an attempt on it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from prism.envoy.clusters import cluster, fallback_cluster, fallback_secret
from prism.envoy.routes import Fallback, routes
from prism.exchange.targets import Live, Target, compile_live
from prism.routing.catalog import Catalog, FailureMode
from prism.routing.plan import compile_plan
from prism.serve.ads import Ads, Refused, by_name
from prism.serve.direct import Direct
from prism.serve.envoy_admin import EnvoyAdmin
from prism.serve.processor import Processor
from prism.wire import xds
from prism.wire.xds import Encoded

log = logging.getLogger(__name__)

_LOOK_S = (0.25, 5.0)
"""Seconds between two looks for clusters that have no host yet: at first, and at most."""
_MARGIN_S = 10.0
"""Seconds that a retired cluster stays beyond the last moment an attempt could start."""
_CLEAN_EVERY_S = 2.0
"""Retired clusters go together, and not one by one, where many changes have left some."""


@dataclass(frozen=True, slots=True)
class _Retired:
    """A target that no newer decision names, and when it may go (loop seconds)."""

    target: Target
    until: float


class Configuration:
    """Puts catalogs live, one after the other. ``envoy`` is asked what it has warmed up."""

    def __init__(self, ads: Ads, processor: Processor, ca_file: str, envoy: EnvoyAdmin) -> None:
        self._ads = ads
        self._processor = processor
        self._ca_file = ca_file
        self._envoy = envoy
        self._direct = Direct(envoy.hosted)
        self._retired: dict[str, _Retired] = {}
        self._encoded: dict[str, Encoded] = {}
        self._linger_s = 0.0
        self._fallback: dict[str, Encoded] = {}
        self._turn = asyncio.Lock()
        self._way_out = Fallback(None, "no configuration yet")
        self._routes: tuple[object, Encoded] | None = None
        self._cleaned = 0.0
        self._at_once = False
        self._cleaning: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None
        ads.on_gone = self._gone

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
            await self._envoy.settled()
            await self._processor.spending.prepare(live.plan.policies.values())
            # Requests under way hold their own plan; their later attempts look here.
            self._processor.live = dataclasses.replace(live, clusters=clusters)
            self._retired, self._encoded, self._fallback = retired, wanted, extra
            self._linger_s = _longest(catalog)
            self._way_out, self._at_once = fallback, _reads_fixed_headers(catalog)
            await self._direct.look()
            await self._publish_routes()
            self._clean_later()
            self._look_later()
            return live

    async def _publish_routes(self) -> None:
        live = self._processor.live
        direct = [] if live is None else self._direct.among(live.clusters)
        made_of = (self._way_out, direct, self._at_once)
        if self._routes is None or self._routes[0] != made_of:
            encoded = xds.encode_routes(routes(self._way_out, direct, at_once=self._at_once))
            self._routes = (made_of, encoded)
        route = self._routes[1]
        await self._ads.publish({xds.ROUTES: {route.name: route}})

    def _gone(self) -> None:
        """Envoy is gone: what it knew of hosts, its successor does not know yet."""
        self._direct.forget()
        self._look_later()

    def _look_later(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
        self._looking = asyncio.create_task(self._look())

    async def _look(self) -> None:
        """Let first attempts go straight to clusters as they turn out to have hosts."""
        pause, longest = _LOOK_S
        while (live := self._processor.live) is not None:
            async with self._turn:
                try:
                    await self._publish_routes()
                except Refused as error:
                    log.warning("first attempts take the longer way: %s", error)
            if len(self._direct.among(live.clusters)) == len(live.clusters):
                return
            await asyncio.sleep(pause)
            pause = min(pause * 2, longest)
            await self._direct.look()

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
        """Take retired clusters away, none before its time."""
        loop = asyncio.get_running_loop()
        while self._retired:
            first = min(retired.until for retired in self._retired.values())
            await asyncio.sleep(max(first, self._cleaned + _CLEAN_EVERY_S) - loop.time())
            async with self._turn:
                now = self._cleaned = loop.time()
                self._retired = {n: r for n, r in self._retired.items() if r.until > now}
                live = self._processor.live
                if live is None:
                    return
                names = {**live.targets_by_cluster(), **self._retired}
                self._encoded = {n: item for n, item in self._encoded.items() if n in names}
                kept = {n: t for n, t in live.clusters.items() if n in names}
                self._processor.live = dataclasses.replace(live, clusters=kept)
                try:
                    # Routes first: they must not name what is gone.
                    await self._publish_routes()
                    await self._ads.publish({xds.CLUSTER: {**self._encoded, **self._fallback}})
                except Refused as error:
                    log.warning("retired clusters stay: %s", error)

    async def close(self) -> None:
        """Stop cleaning and looking."""
        self._ads.on_gone = None
        tasks = [task for task in (self._cleaning, self._looking) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


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


def _reads_fixed_headers(catalog: Catalog) -> bool:
    """Whether no header but those that every gateway reads tells the project."""
    return catalog.tables[catalog.default_table].project_header is None


def _longest(catalog: Catalog) -> float:
    """Seconds from a decision to the last moment at which one of its attempts can start."""
    return max(
        (table.retry.max_attempts - 1) * table.retry.attempt_timeout_s
        for table in catalog.tables.values()
    )
