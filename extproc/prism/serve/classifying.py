"""The classifier and the event loop: what the words alone decide is decided on it, what they leave
in doubt beside it.

Handing a prompt to a thread and its answer back costs more than a look at its words. The encoder,
which takes some milliseconds, has one thread. It is asked only while there is time for it: where
too many requests come, or wait for the encoder, the answer from the words stands.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Protocol

from prism.routing.signals import Classification

log = logging.getLogger(__name__)

MOST_A_SECOND, MOST_TOGETHER = 800, 8
"""Prompts of which those in doubt have a second look, in the long run and in one moment. About one
in four is in doubt, and takes the encoder 3 ms: more of them would take a core of their own, and
with it the time of all others."""
MOST_WAITING = 4
"""Prompts that wait for the encoder: the last of them waits for some 15 ms."""

TAKEN, BUSY, LATE, FAILED = "taken", "busy", "late", "failed"

Answer = tuple[Classification | None, str | None]
"""The classification, or why there is none."""


class CascadeClassifier(Protocol):
    """What is needed of a classifier; ``prism.classify.Classifier`` is one."""

    def first(self, texts: Sequence[str]) -> list[tuple[Classification, bool]]:
        """Answers in order, and whether each is sure. Any text, however long, takes so little
        that the event loop can wait."""

    def second(self, text: str) -> Classification:
        """The answer of a model that takes longer."""


class Classifying:
    """Ask with ``at_once``, and with ``second`` where that is not sure; end with ``close``.

    Must be made where the event loop runs. ``now`` gives seconds, the loop's by default.
    """

    def __init__(
        self, classifier: CascadeClassifier, now: Callable[[], float] | None = None
    ) -> None:
        self._classifier = classifier
        self._loop = asyncio.get_running_loop()
        self._now = now or self._loop.time
        # A leaky bucket of prompts: how full it is, and when that was.
        self._level, self._at = 0.0, self._now()
        self._queue: SimpleQueue[tuple[str, asyncio.Future[Classification | str]] | None]
        self._queue = SimpleQueue()
        self.looked: Callable[[str], None] = _nobody_counts
        """Told how each second look ended: ``TAKEN``, ``BUSY`` where there was no time for it,
        ``LATE`` or ``FAILED``."""
        self._thread = threading.Thread(target=self._work, name="classifier", daemon=True)
        self._thread.start()

    def at_once(self, texts: Sequence[str]) -> list[tuple[Answer, bool]]:
        """The answers from the words, in order, and whether each is to stand."""
        found = _first(self._classifier, texts)
        if self._too_many(len(texts)) or self._queue.qsize() >= MOST_WAITING:
            for _, sure in found:
                if not sure:
                    self.looked(BUSY)
            return [(answer, True) for answer, _ in found]
        return found

    def _too_many(self, more: int) -> bool:
        """Whether these, and those before them, come faster than second looks can be made."""
        now = self._now()
        left = max(0.0, self._level - (now - self._at) * MOST_A_SECOND)
        # It may fill up to twice what is allowed: the pause after a burst is short.
        self._level, self._at = min(left + more, 2 * MOST_TOGETHER), now
        return self._level > MOST_TOGETHER

    async def second(self, text: str, deadline_ms: float, otherwise: Answer) -> Answer:
        """The encoder's answer; ``otherwise``, what ``at_once`` said, where that fails or is not
        there after ``deadline_ms``."""
        future: asyncio.Future[Classification | str] = self._loop.create_future()
        timer = self._loop.call_later(deadline_ms / 1000, _deliver, future, LATE)
        self._queue.put((text, future))
        try:
            found = await future
        finally:
            timer.cancel()
        if isinstance(found, str):
            self.looked(found)
            return otherwise
        self.looked(TAKEN)
        return found, None

    def close(self) -> None:
        """End the thread after what it is doing now."""
        self._queue.put(None)
        self._thread.join(timeout=5)

    def _work(self) -> None:
        while (item := self._queue.get()) is not None:
            text, future = item
            # Whoever gave up waiting needs no answer any more.
            if future.done():
                continue
            try:
                found: Classification | str = self._classifier.second(text)
            except Exception as error:
                _failed(error)
                found = FAILED
            try:
                self._loop.call_soon_threadsafe(_deliver, future, found)
            except RuntimeError:
                log.debug("an answer came after the event loop had closed")


def _nobody_counts(_: str) -> None:
    """Nobody wants to know."""


def _first(classifier: CascadeClassifier, texts: Sequence[str]) -> list[tuple[Answer, bool]]:
    try:
        found = classifier.first(texts)
        if len(found) != len(texts):
            raise ValueError("as many answers as texts are needed")
    except Exception as error:
        if len(texts) > 1:
            # The others are not to blame.
            return [answer for text in texts for answer in _first(classifier, [text])]
        return [(_failed(error), True)]
    return [((classification, None), sure) for classification, sure in found]


def _failed(error: Exception) -> Answer:
    """A decision must be made whatever the model does."""
    # The message could hold the prompt: the type is enough.
    log.error("the classifier failed: %s", type(error).__name__)
    return None, "the classifier failed"


def _deliver(future: asyncio.Future[Classification | str], found: Classification | str) -> None:
    if not future.done():
        future.set_result(found)
