"""The operator's parts at work together: what is watched is settled, and while this replica
leads, what was settled is handed out, stored and reported."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping

from prism.resources import Resource
from prism.wire import snapshot
from prism_operator.api import UNREACHABLE, Resources
from prism_operator.events import Message, Recorder, config_map
from prism_operator.inventory import Inventory
from prism_operator.metrics import Metrics
from prism_operator.observed import Key, Observed
from prism_operator.report import Reporter, Standing
from prism_operator.settle import settle
from prism_operator.settlement import NOTHING, Settlement
from prism_operator.store import Damaged, Store
from prism_operator.stream import SnapshotStream
from prism_operator.writer import Writer

log = logging.getLogger(__name__)

_QUIET_S = 0.03
_BURST_S = 1.0
"""Changes are settled once nothing changed for ``_QUIET_S``, and in a burst that lasts each
``_BURST_S``."""
_RETRY_S = 1.0


class Controller:
    """Settles on every replica of the operator, so that a standby is ready and its webhook
    knows; ``lead`` is for the one that leads. Nothing is settled before ``synced`` is set, which
    says that the inventory is complete."""

    def __init__(
        self,
        inventory: Inventory,
        resources: Resources,
        store: Store,
        events: Recorder,
        metrics: Metrics,
        synced: asyncio.Event,
    ) -> None:
        self.inventory = inventory
        self._synced = synced
        self.settlement = NOTHING
        self._resources = resources
        self._store = store
        self._events = events
        self._metrics = metrics
        self.stream = SnapshotStream(self._replicas_changed)
        self._observed: dict[Key, Observed] = {}
        self._live: Mapping[Key, Resource] = {}
        self._start = 0
        self._dirty = asyncio.Event()
        self._settled = asyncio.Event()
        self._reporter: Reporter | None = None
        self._reported: tuple[Mapping[Key, Observed], Settlement] | None = None
        self._withheld = ""

    def changed(self) -> None:
        """Something in the inventory changed."""
        self._dirty.set()

    def state(self) -> tuple[tuple[Observed, ...], Settlement] | None:
        """What exists and what it came to; ``None`` while that is not known."""
        known = self._synced.is_set() and self.settlement is not NOTHING
        return (self.inventory.all(), self.settlement) if known else None

    async def settle_forever(self) -> None:
        """Settle after every change, until cancelled."""
        await self._warm()
        await self._synced.wait()
        while True:
            await self._dirty.wait()
            await self._quiet()
            start, live, observed = self._start, self._live, self.inventory.all()
            begun = time.perf_counter()
            try:
                found = await asyncio.to_thread(settle, observed, live)
            except Exception:
                log.exception("settling failed, so what is live stays; the next change tries again")
                continue
            self._metrics.settle_seconds.observe(time.perf_counter() - begun)
            if start != self._start:
                self._dirty.set()  # what is live was read anew meanwhile
                continue
            self._live, self.settlement = found.live, found
            self._observed = {one.key: one for one in observed}
            self._metrics.count(found.verdicts.items())
            self._metrics.withheld.set(bool(found.withheld))
            if found.withheld != self._withheld:
                self._say_withheld(found.withheld)
            self._settled.set()

    def _say_withheld(self, why: str) -> None:
        self._withheld = why
        if not why:
            log.info("changes go live again")
            return
        log.warning("no change goes live: %s", why)
        if self._reporter is not None:
            self._say("Withheld", f"No change goes live: {why}.")

    def _say(self, reason: str, message: str) -> None:
        """An Event about the gateway as a whole, at the stored snapshot."""
        where = config_map(self._store.namespace, self._store.name)
        self._events.say(where, Message("Warning", reason, message))

    async def _warm(self) -> None:
        """Start from what is stored, also as a standby, so far as it can be read."""
        try:
            self._live = await self._store.read(self._known())
        except (Damaged, *UNREACHABLE) as error:
            log.info("the stored snapshot is not known yet: %s", error)

    def _known(self) -> list[Resource]:
        """Every resource that was parsed already."""
        present = (one.resource for one in self.inventory.all())
        return [*self._live.values(), *(one for one in present if one is not None)]

    async def _quiet(self) -> None:
        """Wait until changes pause, at most for as long as a burst may hold everything up."""
        until = time.monotonic() + _BURST_S
        while self._dirty.is_set() and time.monotonic() < until:
            self._dirty.clear()
            await asyncio.sleep(_QUIET_S)
        self._dirty.clear()

    async def lead(self) -> None:
        """Hand out, store and report until cancelled."""
        reporter = Reporter(
            self._resources, self.inventory, self._events, self._metrics, self.changed
        )
        try:
            self._metrics.leader.set(1)
            await self._take_over()
            self.stream.open()
            self._reporter = reporter
            async with asyncio.TaskGroup() as group:
                group.create_task(reporter.run())
                group.create_task(self._publish(Writer(self._store, self._events, self._metrics)))
        finally:
            self._reporter = self._reported = None
            self.stream.close()
            self._metrics.leader.set(0)
            self._metrics.stored.set(0)

    async def _take_over(self) -> None:
        """Settle anew from what the leader before has stored."""
        live: Mapping[Key, Resource] = {}
        while True:
            try:
                live = await self._store.read(self._known())
            except Damaged as error:
                message = f"The stored snapshot cannot be read and is made anew: {error}"
                log.warning(message)
                self._say("SnapshotDamaged", message)
            except UNREACHABLE as error:
                log.warning("the stored snapshot cannot be read: %s", error)
                await asyncio.sleep(_RETRY_S)
                continue
            break
        self._live = live
        self._start += 1
        self._settled.clear()
        self._dirty.set()
        await self._settled.wait()

    async def _publish(self, writer: Writer) -> None:
        """Hand out each settlement as it comes."""
        published = ""
        async with asyncio.TaskGroup() as group:
            group.create_task(writer.run())
            while True:
                self._settled.clear()
                found, observed = self.settlement, self._observed
                if found.version and found.version != published:
                    await self._hand_out(found, writer)
                    published = found.version
                self._reported = (observed, found)
                self._report()
                await self._settled.wait()

    async def _hand_out(self, found: Settlement, writer: Writer) -> None:
        resources = list(found.live.values())
        encoded = await asyncio.to_thread(snapshot.encode, found.version, resources)
        contents = {key.label: resource.generation for key, resource in found.live.items()}
        self.stream.publish(found.version, encoded, contents)
        writer.store(found.version, encoded)
        self._metrics.snapshot_bytes.set(len(encoded))
        log.info("snapshot %s: %d resources", found.version, len(resources))

    def _replicas_changed(self) -> None:
        rollout = self.stream.rollout
        states = {"current": 0, "refused": 0, "pending": 0}
        for replica in rollout.replicas:
            refused = replica.answered == rollout.version and bool(replica.refusal)
            current = replica.live == rollout.version
            states["current" if current else "refused" if refused else "pending"] += 1
        for state, number in states.items():
            self._metrics.replicas.labels(state).set(number)
        self._report()

    def _report(self) -> None:
        # Of what was handed out, and not of what was settled since.
        if self._reporter is not None and self._reported is not None:
            self._reporter.update(Standing(*self._reported, self.stream.rollout))
