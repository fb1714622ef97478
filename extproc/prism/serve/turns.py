"""Requests that wait at the same time are taken up together.

Whoever works on one request from beginning to end finds the processor's caches cold at each step.
Taking each step for all that wait, before the next step, costs about a third less. Nobody is
waited for: what came within the same turn of the event loop is there already. See
``docs/decisions/0030-requests-that-queue-are-taken-up-together.md``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")

MOST = 8
"""Requests that are taken up together: with more the first would wait long for the last."""


class Turns(Generic[Item]):
    """Hands items to ``take_up`` in the next turn of the event loop, ``MOST`` together at most.
    ``take_up`` must not raise."""

    def __init__(self, take_up: Callable[[Sequence[Item]], None]) -> None:
        self._take_up = take_up
        self._queue: list[Item] = []

    def add(self, item: Item) -> None:
        """Have it taken up after all that came before it."""
        if not self._queue:
            asyncio.get_running_loop().call_soon(self._turn)
        self._queue.append(item)

    def _turn(self) -> None:
        now, self._queue = self._queue[:MOST], self._queue[MOST:]
        if self._queue:
            asyncio.get_running_loop().call_soon(self._turn)
        self._take_up(now)
