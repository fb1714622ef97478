"""Takes feedback off the event loop and into the ledger, within bounds."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from prism.exchange.feedback import Kept
from prism.exchange.steps import Submit
from prism.ledger.feedback import keep_feedback
from prism.ledger.finding import subject_of
from prism.ledger.store import Away, Refused, Store
from prism.routing.feedback import Feedback, Subject
from prism.routing.record import Record
from prism.serve.recent import Recent

log = logging.getLogger(__name__)

PER_SECOND = 20.0
"""Feedback that a project may give on average."""
BURST = 200.0
"""Feedback that it may give at once."""
MOST_PENDING = 64
WAIT_S = 1.5
"""How long a request waits for the ledger; Envoy waits 2 seconds for Prism."""


class Allowance:
    """A bucket of tokens for each project. ``clock`` gives monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._left: dict[str | None, tuple[float, float]] = {}

    def take(self, project: str | None) -> bool:
        """Whether ``project`` may give feedback now."""
        now = self._clock()
        left, then = self._left.get(project, (BURST, now))
        left = min(BURST, left + (now - then) * PER_SECOND)
        self._left[project] = (left - 1 if left >= 1 else left), now
        return left >= 1


_Tell = Callable[[Feedback, Subject], None]
_Done = Future[tuple[Kept, Subject | None]]


class Submissions:
    """Keeps feedback on decisions of ``recent`` and of ``store``; ``tell`` gets what was kept."""

    def __init__(
        self,
        store: Store | None,
        recent: Recent,
        clock: Callable[[], float] = time.monotonic,
        tell: _Tell | None = None,
    ) -> None:
        self._store = store
        self._recent = recent
        self._allowance = Allowance(clock)
        self._pending = 0
        self._tell = tell
        # One at a time: SQLite has one writer, and a database that is slow is not helped by more.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="feedback")

    async def submit(self, step: Submit) -> Kept:
        """Keep it, where the decision is the project's own. Never waits longer than ``WAIT_S``."""
        store = self._store
        if store is None:
            return Kept.NOWHERE
        if not self._allowance.take(step.project):
            return Kept.TOO_OFTEN
        # The newest decisions may not be in the ledger yet.
        said, record = step.feedback, self._recent.get(step.feedback.decision_id)
        subject = None if record is None else _subject(record)
        if subject is not None and subject.project != step.project:
            return Kept.UNKNOWN
        if self._pending >= MOST_PENDING:
            return Kept.AWAY
        self._pending += 1
        work = self._thread.submit(_keep, store, said, step.project, subject)
        loop = asyncio.get_running_loop()
        work.add_done_callback(lambda done: _on(loop, lambda: self._done(said, done)))
        try:
            kept, _ = await asyncio.wait_for(asyncio.wrap_future(work), WAIT_S)
        except TimeoutError:
            return Kept.AWAY
        return kept

    def close(self) -> None:
        """Begin nothing more."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _done(self, said: Feedback, work: _Done) -> None:
        """Kept it may be although its giver no longer waits."""
        self._pending -= 1
        if work.cancelled() or work.exception() is not None:
            return
        kept, subject = work.result()
        if kept is Kept.KEPT and subject is not None and self._tell is not None:
            self._tell(said, subject)


def _subject(record: Record) -> Subject:
    decision, outcome = record.decision, record.outcome
    return Subject(
        decision.project,
        decision.task.value,
        decision.mode.value,
        None if outcome is None else outcome.model,
        None if outcome is None else outcome.trace_id,
    )


def _on(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(call)


def _keep(
    store: Store, said: Feedback, project: str | None, known: Subject | None
) -> tuple[Kept, Subject | None]:
    """In the thread."""
    try:
        subject = known
        if subject is None:
            with store.reading() as connection:
                subject = subject_of(connection, said.decision_id)
        if subject is None or subject.project != project:
            return Kept.UNKNOWN, None
        with store.writing() as connection:
            keep_feedback(connection, said, time.time())
    except Away:
        return Kept.AWAY, None
    except Refused as refused:
        log.error("the ledger does not take feedback: %s", refused)
        return Kept.AWAY, None
    return Kept.KEPT, subject
