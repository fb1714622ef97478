"""The classifier and the event loop: a quick model runs on it, any other beside it.

Handing a prompt to a thread and its answer back costs more than a quick model itself. A model
that is not quick gets one thread, batches, and a deadline for each prompt.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Sequence
from queue import SimpleQueue
from typing import Protocol

from prism.routing.signals import Classification

log = logging.getLogger(__name__)

MAX_BATCH = 16
"""Prompts of one run of the model: more would let the first wait for the last."""
MAX_WAITING = 512
"""Prompts that wait; past it the next are decided without a classification at once."""

Answer = tuple[Classification | None, str | None]
"""The classification, or why there is none."""


class BatchClassifier(Protocol):
    """What is needed of a classifier; ``prism.classify.Classifier`` is one."""

    @property
    def quick(self) -> bool:
        """Whether any text, however long, takes so little that the event loop can wait."""

    def classify_batch(self, texts: Sequence[str]) -> list[Classification]:
        """Classify texts, in order."""


class Classifying:
    """Ask with ``at_once``, and with ``classify`` where that has no answer; end with ``close``.

    Must be made where the event loop runs.
    """

    def __init__(self, classifier: BatchClassifier) -> None:
        self._classifier = classifier
        self._quick = classifier.quick
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[tuple[str, asyncio.Future[Answer]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="classifier", daemon=True)
        self._thread.start()

    def at_once(self, texts: Sequence[str]) -> list[Answer] | None:
        """The answers of a quick model, in order; ``None`` where the model is none."""
        if not self._quick:
            return None
        return _answers(self._classifier, texts)

    async def classify(self, text: str, deadline_ms: float) -> Answer:
        """The answer, or after ``deadline_ms`` the reason why there is none."""
        if self._queue.qsize() >= MAX_WAITING:
            return None, "the classifier is overloaded"
        future: asyncio.Future[Answer] = self._loop.create_future()
        timer = self._loop.call_later(deadline_ms / 1000, _expire, future, deadline_ms)
        self._queue.put((text, future))
        try:
            return await future
        finally:
            timer.cancel()

    def close(self) -> None:
        """End the thread after what it is doing now."""
        self._queue.put(None)
        self._thread.join(timeout=5)

    def _work(self) -> None:
        while True:
            item = self._queue.get()
            batch = []
            while item is not None:
                # Whoever gave up waiting needs no answer any more.
                if not item[1].done():
                    batch.append(item)
                if len(batch) == MAX_BATCH or self._queue.empty():
                    break
                item = self._queue.get()
            if batch:
                self._answer(batch)
            if item is None:
                return

    def _answer(self, batch: list[tuple[str, asyncio.Future[Answer]]]) -> None:
        answers = _answers(self._classifier, [text for text, _ in batch])
        futures = [future for _, future in batch]
        try:
            self._loop.call_soon_threadsafe(_deliver, futures, answers)
        except RuntimeError:
            log.debug("answers came after the event loop had closed")


def _answers(classifier: BatchClassifier, texts: Sequence[str]) -> list[Answer]:
    try:
        found = classifier.classify_batch(texts)
        if len(found) != len(texts):
            raise ValueError("as many answers as texts are needed")
    except Exception as error:
        if len(texts) > 1:
            # The others are not to blame.
            return [answer for text in texts for answer in _answers(classifier, [text])]
        return [_failed(error)]
    return [(classification, None) for classification in found]


def _failed(error: Exception) -> Answer:
    """A decision must be made whatever the model does."""
    # The message could hold the prompt: the type is enough.
    log.error("the classifier failed: %s", type(error).__name__)
    return None, "the classifier failed"


def _deliver(futures: Sequence[asyncio.Future[Answer]], answers: Sequence[Answer]) -> None:
    for future, answer in zip(futures, answers, strict=True):
        if not future.done():
            future.set_result(answer)


def _expire(future: asyncio.Future[Answer], deadline_ms: float) -> None:
    if not future.done():
        future.set_result((None, f"deadline of {deadline_ms:g} ms passed"))
