"""Writes statuses: only those that changed, each resource's newest only, a few at a time.

What concerns the resource itself is written at once. How many replicas there are concerns all
of them together, so that waits until the replicas have calmed down: a gateway that is rolled
over would else have thousands of statuses written for every pod. For the same reason an operator
that begins to lead first waits for the replicas that the one before it had.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from kubernetes_asyncio.client import ApiException

from prism_operator.api import UNREACHABLE, Resources
from prism_operator.conditions import Status, differs, status_of, urgent
from prism_operator.events import Message, Recorder, Subject, subject_of, transitions
from prism_operator.inventory import Inventory
from prism_operator.metrics import Metrics
from prism_operator.observed import Key, Observed
from prism_operator.rollout import Rollout
from prism_operator.settlement import Settlement

log = logging.getLogger(__name__)

_WRITERS = 8
_PATIENCE_S = 1.0
"""How long replicas may take to answer before it is written that they have not."""
_REUNION_S = 5.0
"""How long the replicas of the leader before may take to come to a new one."""
_CALM_S = 3.0
_LATEST_S = 15.0
"""How long replicas may come and go before their number is written all the same."""
_RETRY_S = 1.0
_SLOW_S = 0.25
_AT_ONCE = 100
"""Resources that are looked at in one go; then others get their turn."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What statuses are made of: a settlement, the resources that it is about, and how far it
    has come at the replicas."""

    observed: Mapping[Key, Observed]
    settlement: Settlement
    rollout: Rollout


class Reporter:
    """Statuses and Events of one term of leadership. ``changed`` is called where the answer to
    a status tells of a newer spec."""

    def __init__(
        self,
        resources: Resources,
        inventory: Inventory,
        events: Recorder,
        metrics: Metrics,
        changed: Callable[[], None],
    ) -> None:
        self._resources = resources
        self._inventory = inventory
        self._events = events
        self._metrics = metrics
        self._changed = changed
        self._standing: Standing | None = None
        self._wake = asyncio.Event()
        self._todo: dict[Key, tuple[Observed, Status]] = {}
        self._doing: dict[Key, Status] = {}
        self._right: dict[Key, tuple[object, ...]] = {}
        self._said: list[tuple[Subject, Message]] = []
        self._work = asyncio.Event()

    def update(self, standing: Standing) -> None:
        """There is something new to report, of a settlement or of replicas."""
        self._standing = standing
        self._wake.set()

    async def run(self) -> None:
        """Report until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(_WRITERS):
                group.create_task(self._write())
            group.create_task(self._look())

    async def _look(self) -> None:
        """Look for statuses to write whenever something happened."""
        loop = asyncio.get_running_loop()
        since: float | None = None  # when the first of the numbers changed that are not written
        await self._wake.wait()
        await self._reunion()
        while True:
            self._wake.clear()
            # One look, once there is something to see: each is one at thousands of resources,
            # and takes its time from the replicas where they share a machine.
            await self._answers()
            left = await self._look_once(calm=False)
            since = (since or loop.time()) if left else None
            wait = None
            if since is not None:
                wait = min(_CALM_S, max(0.0, since + _LATEST_S - loop.time()))
            try:
                await asyncio.wait_for(self._wake.wait(), wait)
            except TimeoutError:
                await self._look_once(calm=True)
                since = None
                await self._wake.wait()

    async def _reunion(self) -> None:
        """Wait until the replicas are here that there were, by what the statuses say. They come
        one by one, and until then each status would be written once for every one of them."""
        known = (one.status.get("replicasTotal") or 0 for one in self._inventory.all())
        most = max(known, default=0)

        def here(rollout: Rollout) -> bool:
            return len(rollout.replicas) >= most and rollout.settled

        await self._until(here, _REUNION_S)

    async def _answers(self) -> None:
        """Wait until every replica has answered, or long enough."""
        await self._until(lambda rollout: rollout.settled, _PATIENCE_S)

    async def _until(self, holds: Callable[[Rollout], bool], seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                while self._standing is not None and not holds(self._standing.rollout):
                    self._wake.clear()
                    await self._wake.wait()
        except TimeoutError:
            pass

    async def _look_once(self, calm: bool) -> bool:
        """Queue what has to be written; whether only numbers are left that were not. ``calm``
        is to write those, too."""
        standing = self._standing
        left = False
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        for index, one in enumerate(self._inventory.all()):
            if index % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)
            status = self._status(standing, one, now) if standing is not None else None
            if status is None:
                continue
            before = self._before(one)
            if calm or urgent(status, before):
                self._todo.pop(one.key, None)
                self._todo[one.key] = (one, status)
                self._work.set()
            else:
                left = True
        if len(self._right) > len(self._inventory):
            self._right = {k: v for k, v in self._right.items() if self._inventory.get(k)}
        return left

    def _before(self, one: Observed) -> Status:
        """The last status of a resource, even if it is still being written."""
        if one.key in self._todo:
            return self._todo[one.key][1]
        return self._doing.get(one.key, one.status)

    def _status(self, standing: Standing, one: Observed, now: str) -> Status | None:
        """The status that a resource should have and has not; ``None`` as well until its
        present version settled."""
        seen = standing.observed.get(one.key)
        verdict = standing.settlement.verdicts.get(one.key)
        if seen is None or verdict is None or seen.generation != one.generation:
            return None
        generation = verdict.live.generation if verdict.live is not None else ""
        reach = standing.rollout.reach(one.key.label, generation)
        settled = standing.settlement
        # One change among thousands of resources: most are as they were when last looked at.
        made_of = (one, verdict.reason, id(verdict.live), verdict.problems, verdict.deleted_table)
        facts = (*made_of, reach, settled.withheld)
        if self._right.get(one.key) == facts:
            return None
        known = replace(one, status=self._before(one))
        status = status_of(known, verdict, reach, settled.version, settled.withheld, now)
        if differs(status, known.status):
            self._right.pop(one.key, None)
            return status
        self._right[one.key] = facts
        return None

    async def _write(self) -> None:
        """One of several writers."""
        while True:
            while not self._todo:
                self._work.clear()
                await self._work.wait()
            # The newest first: somebody waits for that, and not for thousands of others. What
            # another writer has an older status of under way comes after that.
            key = next((key for key in reversed(self._todo) if key not in self._doing), None)
            if key is None:
                await asyncio.sleep(0.01)
                continue
            one, status = self._todo.pop(key)
            self._doing[key] = status
            begun = time.monotonic()
            try:
                await self._patch(one, status)
            finally:
                del self._doing[key]
            # A slow API server has more urgent things to do, our lease among them.
            if (took := time.monotonic() - begun) > _SLOW_S:
                await asyncio.sleep(took)

    async def _patch(self, one: Observed, status: Status) -> None:
        try:
            written = await self._resources.patch_status(one.key, one.uid, status)
        except UNREACHABLE as error:
            if isinstance(error, ApiException) and error.status in (404, 409):
                return  # deleted, or made anew, which another event tells of
            self._metrics.failed_writes.inc()
            log.warning("the status of %s cannot be written: %s", one.key.label, error)
            await asyncio.sleep(_RETRY_S)
            self._wake.set()
            return
        self._metrics.status_writes.inc()
        # Somebody may have applied a new spec just before: then this tells of it first, and what
        # the watch tells of it later is older than what is known.
        if self._inventory.put(written):
            self._changed()
        subject = subject_of(one.key, one.uid)
        self._said += [(subject, message) for message in transitions(status, one.status)]
        # Statuses first: the API server has enough to do with those.
        if not self._todo:
            for about, message in self._said:
                self._events.say(about, message)
            self._said.clear()
