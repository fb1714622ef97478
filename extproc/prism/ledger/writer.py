"""A thread that writes decisions and outcomes in batches, and throws old ones away.

The request path pays for one append to a queue. A database that is away or slow holds up no
request: what waits is bounded, and what finds no room is lost and counted.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from prism.ledger.batch import write_batch
from prism.ledger.entry import Ended
from prism.ledger.late import mark_late, sum_late
from prism.ledger.prompts import keep_prompts, sealed
from prism.ledger.retention import Bounds, oldest_to_keep, throw_away
from prism.ledger.sealing import Keys, Sealing
from prism.ledger.store import Away, Refused, Store, WrongVersion
from prism.ledger.stretches import forget_sums, sum_up
from prism.ledger.waiting import MOST, Batch, Waiting
from prism.prompt.kept import Prompt
from prism.routing.record import Outcome, Record

log = logging.getLogger(__name__)

MOST_TOGETHER = 1000
"""Decisions and outcomes of one batch."""
INTERVAL_S = 0.5
"""How often what waits is written, a decision without its request's end the second time: so much
is lost when the process is killed."""
LONGEST_PAUSE_S = 5.0
"""Between attempts while the database is away."""
CLEANING_S = 300.0
"""How often is looked for what is to be thrown away."""

SUMMING_S = 60.0
"""How often is looked for what is to be summed up."""


class Writer:
    """Writes to ``store`` and keeps it within ``bounds``. ``clock`` gives seconds since the
    epoch."""

    def __init__(
        self,
        store: Store,
        bounds: Bounds,
        clock: Callable[[], float] = time.time,
        most_waiting: int = MOST,
        keys: Keys | None = None,
    ) -> None:
        self._store = store
        self._bounds = bounds
        self._clock = clock
        self._waiting = Waiting(most_waiting)
        self._sealing = Sealing(keys or Keys(None))
        self._batch = Batch()
        self._stop = threading.Event()
        self._prepared = False
        self._clean_at = self._sum_at = 0.0
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._written = self._refused = 0
        self._trouble: str | None = None

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def decided(self, record: Record) -> None:
        """A decision was made. Never blocks."""
        self._waiting.add(record)

    def prompted(self, prompt: Prompt) -> None:
        """A prompt is to be kept. Never blocks."""
        self._waiting.prompted(prompt)

    def ended(self, decision_id: str, outcome: Outcome, cost_usd: float | None) -> None:
        """A request is over. Never blocks."""
        self._waiting.add(Ended(decision_id, outcome, cost_usd))

    def close(self, within_s: float = 5.0) -> None:
        """Write what waits, within so many seconds. Blocks."""
        self._stop.set()
        self._thread.join(within_s)
        if left := len(self._waiting) + len(self._batch):
            log.warning("the ledger lost %d decisions and outcomes that waited", left)

    def status(self) -> dict[str, Any]:
        """For ``/status``: counts since the start, and why nothing can be written just now."""
        return {
            "at": str(self._store.address),
            "waiting": len(self._waiting) + len(self._batch),
            "written": self._written,
            "lost": self._waiting.lost,
            "refused": self._refused,
            "trouble": self._trouble,
            "prompts": {
                "lost": self._waiting.prompts_lost,
                "refused": self._sealing.refused,
                "trouble": self._sealing.trouble,
            },
        }

    def _run(self) -> None:
        pause = INTERVAL_S
        while not self._stop.wait(pause):
            try:
                self._round()
                pause = INTERVAL_S
            except (Away, WrongVersion, Refused) as error:
                self._report(str(error))
                pause = min(pause * 2, LONGEST_PAUSE_S)
        try:
            self._round()
        except (Away, WrongVersion, Refused) as error:
            self._report(str(error))
        self._store.close()

    def _round(self) -> None:
        if not self._prepared:
            self._store.prepare()
            self._prepared = True
        # A batch that could not be written is kept, and tried again before any other.
        self._write_kept()
        self._waiting.grow_older()
        while (batch := self._waiting.take(MOST_TOGETHER)) is not None:
            self._batch = batch
            self._write_kept()
        if self._stop.is_set():
            self._waiting.grow_older()  # there is no other round
        while (batch := self._waiting.take_overdue(MOST_TOGETHER)) is not None:
            self._batch = batch
            self._write_kept()
        self._report(None)
        if self._clock() >= self._clean_at and not self._stop.is_set():
            self._clean()
        if self._clock() >= self._sum_at and not self._stop.is_set():
            self._sum_up()

    def _write_kept(self) -> None:
        if len(self._batch):
            self._write(self._batch)
            self._batch = Batch()

    def _write(self, batch: Batch) -> None:
        try:
            self._write_whole(batch)
        except Refused:
            # One that the database does not take must not keep the others out for ever.
            for one in batch.singly():
                try:
                    self._write_whole(one)
                except Refused as refused:
                    self._refused += len(one)
                    log.error("the ledger does not take a decision: %s", refused)

    def _write_whole(self, batch: Batch) -> None:
        prompts = sealed(batch.prompts.values(), self._sealing)
        try:
            with self._store.writing() as connection:
                write_batch(connection, batch.records.values(), batch.ended)
                now_ms = round(self._clock() * 1000)
                mark_late(connection, batch.records.values(), batch.ended, now_ms)
                keep_prompts(connection, prompts)
        except Away:
            self._prepared = False  # it may come back empty
            raise
        self._written += len(batch)

    def _clean(self) -> None:
        """Throw away a little; again at the next round while there is more."""
        now = self._clock()
        with self._store.reading() as connection:
            oldest = oldest_to_keep(connection, self._bounds, now)
        more = False
        if oldest is not None:
            with self._store.writing() as connection:
                more = throw_away(connection, oldest)
        if not more:
            self._clean_at = now + CLEANING_S

    def _sum_up(self) -> None:
        """Sum up an hour or a day; the next one at the next round while one is due."""
        now, age_s = self._clock(), self._bounds.age_s
        with self._store.writing() as connection:
            more = sum_up(connection, round(now * 1000)) or sum_late(connection)
            if not more and age_s is not None:
                forget_sums(connection, round((now - age_s) * 1000))
        if not more:
            self._sum_at = now + SUMMING_S

    def _report(self, trouble: str | None) -> None:
        """Say it where something has changed."""
        if trouble is not None and self._trouble is None:
            log.warning("the ledger can't be written, decisions wait: %s", trouble)
        elif trouble is None and self._trouble is not None:
            log.info("the ledger is written again; lost so far: %d", self._waiting.lost)
        self._trouble = trouble
