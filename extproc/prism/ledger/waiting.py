"""What waits to be written: a bounded queue between the event loop and the writer's thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from prism.ledger.entry import Ended
from prism.prompt.kept import Prompt
from prism.routing.record import Record

MOST = 50_000
"""Decisions and outcomes that may wait: about 100 MB at most."""
MOST_BYTES = 64 * 1024 * 1024
"""Of prompts that may wait."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Decisions and outcomes that are written together, both by decision id."""

    records: dict[str, Record] = field(default_factory=dict)
    ended: dict[str, Ended] = field(default_factory=dict)
    prompts: dict[str, Prompt] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.records) + len(self.ended) + len(self.prompts)

    def singly(self) -> Iterator[Batch]:
        """The same as one batch for each decision id."""
        for name in self.records | self.ended | self.prompts:
            yield Batch(
                {name: self.records[name]} if name in self.records else {},
                {name: self.ended[name]} if name in self.ended else {},
                {name: self.prompts[name]} if name in self.prompts else {},
            )


class Waiting:
    """The queue. One thread adds, one takes. What finds it full is lost and counted."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._items: deque[Record | Ended | Prompt] = deque()
        self._bytes_put = self._bytes_taken = 0
        self.lost = 0
        self.prompts_lost = 0

    def __len__(self) -> int:
        return len(self._items)

    def add(self, item: Record | Ended) -> None:
        """Never blocks and wakes nobody: this is on the request path."""
        if len(self._items) < self._most:
            self._items.append(item)
        else:
            self.lost += 1

    def prompted(self, prompt: Prompt) -> None:
        """The same for a prompt, which may be large."""
        size = len(prompt.body)
        waiting = self._bytes_put - self._bytes_taken
        if len(self._items) < self._most and waiting + size <= MOST_BYTES:
            self._bytes_put += size
            self._items.append(prompt)
        else:
            self.prompts_lost += 1

    def take(self, most: int) -> Batch:
        """The oldest, ``most`` at most."""
        batch, items = Batch(), self._items
        for _ in range(min(most, len(items))):
            item = items.popleft()
            if isinstance(item, Record):
                batch.records[item.decision_id] = item
            elif isinstance(item, Prompt):
                self._bytes_taken += len(item.body)
                batch.prompts[item.decision_id] = item
            else:
                batch.ended[item.decision_id] = item
        return batch
