"""A bounded queue of what waits to be sent, and what became of all that was put to it."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Line(Generic[Item]):
    """What finds it full is dropped and counted. One thread puts, one takes, and each counts for
    itself: ``sent`` and ``lost`` items, ``failed`` exports that the collector did not take."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting: deque[Item] = deque()
        self._full = 0
        self.sent = 0
        self.lost = 0
        self.failed = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def dropped(self) -> int:
        """Items that were not sent, for lack of room or of a collector."""
        return self._full + self.lost

    def put(self, item: Item) -> None:
        """Have it sent, some time. Never blocks."""
        if len(self._waiting) >= self._most:
            self._full += 1
        else:
            self._waiting.append(item)

    def take(self, most: int) -> list[Item]:
        """The oldest, ``most`` at most."""
        return [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
