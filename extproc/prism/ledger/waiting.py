"""What waits to be written: a bounded queue between the event loop and the writer's thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

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
    """The queue. One thread adds, one takes. What finds it full is lost and counted.

    A decision waits a little for its request's end: one row that is written whole costs a third
    less than one that is written and then changed.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._items: deque[Record | Ended | Prompt] = deque()
        self._open: dict[str, Record] = {}
        """Taken from the queue, but their requests were not over yet."""
        self._overdue: dict[str, Record] = {}
        """The same, since the writer's last round."""
        self._bytes_put = self._bytes_taken = 0
        self.lost = 0
        self.prompts_lost = 0

    def __len__(self) -> int:
        return len(self._items) + len(self._open) + len(self._overdue)

    def add(self, item: Record | Ended) -> None:
        """Never blocks and wakes nobody: this is on the request path."""
        if len(self) < self._most:
            self._items.append(item)
        else:
            self.lost += 1

    def prompted(self, prompt: Prompt) -> None:
        """The same for a prompt, which may be large."""
        size = len(prompt.body)
        waiting = self._bytes_put - self._bytes_taken
        if len(self) < self._most and waiting + size <= MOST_BYTES:
            self._bytes_put += size
            self._items.append(prompt)
        else:
            self.prompts_lost += 1

    def take(self, most: int) -> Batch | None:
        """The oldest of the queue, ``most`` at most, and the decisions that they are the end of;
        ``None`` once it is empty."""
        items = self._items
        if not items:
            return None
        batch = Batch()
        for _ in range(min(most, len(items))):
            item = items.popleft()
            if isinstance(item, Record):
                self._open[item.decision_id] = item
                continue
            name = item.decision_id
            if isinstance(item, Prompt):
                self._bytes_taken += len(item.body)
                batch.prompts[name] = item
            else:
                batch.ended[name] = item
            record = self._open.pop(name, None) or self._overdue.pop(name, None)
            if record is not None:
                batch.records[name] = record
        return batch

    def grow_older(self) -> None:
        """Decisions that wait for their requests' ends are overdue from now on."""
        self._overdue.update(self._open)
        self._open.clear()

    def take_overdue(self, most: int) -> Batch | None:
        """The oldest of those, ``most`` at most; ``None`` where there is none."""
        names = list(islice(self._overdue, most))
        return Batch({name: self._overdue.pop(name) for name in names}) if names else None
