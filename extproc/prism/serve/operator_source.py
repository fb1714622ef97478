"""The operator as a source of configurations, with what to start from while it is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from prism.config.v1.snapshot_pb2 import Snapshot
from prism.resources import Problem, Resource, Severity
from prism.serve.operator_stream import Arrived, Operator, OperatorStream
from prism.serve.snapshot_file import SnapshotFile
from prism.serve.source import BrokenConfiguration, Offer, Origin, compiled
from prism.wire.snapshot import BadSnapshot, resources_of

START_S = 2.0
"""Seconds that the operator has to answer at the start, before a kept snapshot is used."""
_LOOK_S = 1.0
"""How often kept snapshots are looked for while nothing is live."""
_LONGEST_REFUSAL = 16 * 1024
"""Characters of a refusal; the operator shows them in a status."""


class OperatorSource:
    """Snapshots of the operator; at a start without it the newest of those in ``kept``.

    ``live`` is the version that is live, if one is; ``acknowledged`` is set while an Envoy
    has taken it.
    """

    def __init__(
        self,
        operator: Operator,
        kept: Sequence[SnapshotFile],
        live: Callable[[], str | None],
        acknowledged: asyncio.Event,
    ) -> None:
        self._kept = kept
        self._live = live
        self._acknowledged = acknowledged
        # What no Envoy has taken is not live: then the operator sends it again.
        self._stream = OperatorStream(operator, lambda: live() if acknowledged.is_set() else None)
        self._arrived: Arrived | None = None
        self._known: Sequence[Resource] = ()
        self._confirming: asyncio.Task[None] | None = None

    async def offers(self) -> AsyncIterator[Offer | BrokenConfiguration]:
        """The operator's snapshots as they come, and at first what it stored or this replica
        kept, whichever was written last."""
        running = asyncio.create_task(self._stream.run())
        patience: float | None = START_S
        seen: list[float] = []
        try:
            while True:
                if (arrived := await self._next(running, patience)) is not None:
                    self._arrived = arrived
                    yield await asyncio.to_thread(self._read, arrived.snapshot)
                elif (written := [file.written() for file in self._kept]) != seen:
                    seen = written
                    async for offer in self._newest_kept():
                        yield offer
                patience = _LOOK_S if self._live() is None else None
        finally:
            tasks = [task for task in (running, self._confirming) if task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _next(self, running: asyncio.Task[None], seconds: float | None) -> Arrived | None:
        """The next snapshot of the operator, ``None`` where none came in time."""
        arriving = asyncio.create_task(self._stream.next())
        try:
            await asyncio.wait({arriving, running}, timeout=seconds, return_when="FIRST_COMPLETED")
            if running.done():
                running.result()
            return arriving.result() if arriving.done() else None
        finally:
            arriving.cancel()

    async def _newest_kept(self) -> AsyncIterator[Offer]:
        """Kept snapshots that can be read, the newest first, until one is live.

        Both are written on this machine, so their times compare. The operator's may lag
        behind (a mounted ConfigMap takes up to a minute), this replica's own is behind where
        the replica could not reach the operator while others could.
        """
        for file in sorted(self._kept, key=lambda file: -file.written()):
            if self._live() is None and (offer := await asyncio.to_thread(file.load)) is not None:
                yield offer

    async def answer(self, offered: Offer | BrokenConfiguration, refusal: str) -> None:
        """ACK once an Envoy has taken it, NACK at once."""
        if isinstance(offered, Offer) and offered.origin is not Origin.OPERATOR:
            return
        if self._confirming is not None:
            self._confirming.cancel()
        if self._arrived is None:
            return
        if refusal:
            await self._stream.answer(self._arrived, refusal[:_LONGEST_REFUSAL])
        else:
            self._confirming = asyncio.create_task(self._confirm(self._arrived))

    async def _confirm(self, arrived: Arrived) -> None:
        await self._acknowledged.wait()
        await self._stream.answer(arrived, "")

    def status(self) -> dict[str, Any]:
        """The replica's name, and whether the operator is there."""
        return self._stream.link.to_json()

    def _read(self, snapshot: Snapshot) -> Offer | BrokenConfiguration:
        try:
            self._known = resources_of(snapshot, self._known)
            return compiled(Origin.OPERATOR, self._known)
        except BrokenConfiguration as broken:
            return broken
        except BadSnapshot as bad:
            reason = str(bad)
        except Exception as error:
            reason = f"made by another version of Prism? {type(error).__name__}: {error}"
        problem = Problem(Severity.ERROR, f"the snapshot can't be used: {reason}")
        return BrokenConfiguration([problem])
