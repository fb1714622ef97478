"""The requests that the simulated providers got, as they came."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

KEPT = 1000
"""How many requests are remembered, the latest ones."""
_KEPT_BYTES = 256 * 1024 * 1024


@dataclass(slots=True)
class ReceivedRequest:
    """One request. ``path`` is as sent, query included; ``body`` is byte for byte as sent.

    ``started_at`` and ``finished_at`` are seconds of ``time.monotonic``; ``finished_at`` is
    ``None`` while the answer is under way. ``status`` is what was answered, ``None`` where
    nothing was. ``cancelled``: the client went away before its answer was complete.
    ``fault`` is the kind of the fault that the request met.
    """

    provider: str
    method: str
    path: str
    headers: Sequence[tuple[str, str]]
    body: bytes
    model: str | None
    started_at: float
    finished_at: float | None = None
    status: int | None = None
    fault: str | None = None
    cancelled: bool = False

    def header(self, name: str) -> str | None:
        """The first value of a header, whatever the case of its name."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)


class Journal:
    """The latest requests, oldest first; others can wait for what they expect of them."""

    def __init__(self) -> None:
        self._requests: deque[ReceivedRequest] = deque()
        self._bytes = 0
        self._changed: asyncio.Event | None = None

    @property
    def requests(self) -> list[ReceivedRequest]:
        return list(self._requests)

    def add(self, request: ReceivedRequest) -> None:
        """Remember a request, and forget the oldest ones where that are too many or too much."""
        kept = self._requests
        kept.append(request)
        self._bytes += len(request.body)
        while len(kept) > KEPT or (self._bytes > _KEPT_BYTES and len(kept) > 1):
            self._bytes -= len(kept.popleft().body)
        self.wake()

    def clear(self) -> None:
        self._requests.clear()
        self._bytes = 0

    def wake(self) -> None:
        """Say that a request changed."""
        if self._changed is not None:
            self._changed.set()

    async def until(self, condition: Callable[[], bool], timeout_s: float) -> None:
        """Wait until ``condition`` holds; it is asked again whenever a request changes.

        Raises:
            TimeoutError: it did not hold in time.
        """
        async with asyncio.timeout(timeout_s):
            while not condition():
                if self._changed is None or self._changed.is_set():
                    self._changed = asyncio.Event()
                await self._changed.wait()
