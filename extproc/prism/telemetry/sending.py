"""Sends spans and metrics to a collector, from a thread of its own.

Whoever has something to send only appends it to a bounded queue. A collector that is slow or
gone costs memory for that queue and nothing else: what does not fit is dropped and counted.
"""

from __future__ import annotations

import logging
import random
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain

from opentelemetry.sdk.resources import Resource

from prism import __version__
from prism.otlp.v1.otlp_pb2 import Span
from prism.telemetry.exporting import Exporter
from prism.telemetry.metric import Family
from prism.telemetry.otlp import metrics_of
from prism.telemetry.settings import Telemetry
from prism.telemetry.spans import Spans, Traced

log = logging.getLogger(__name__)

MOST_WAITING = 2048
"""Requests whose spans wait to be sent."""
BATCH = 256
"""Requests in one export."""
EVERY_S = 1.0
"""Seconds between two looks at the queue."""


@dataclass(slots=True)
class Sent:
    """How often what happened, since the start."""

    requests: int = 0
    dropped: int = 0
    failed_traces: int = 0
    failed_metrics: int = 0


class Sending:
    """The queue and its thread; begin with ``start``, end with ``close``."""

    def __init__(self, settings: Telemetry, resource: Resource) -> None:
        self.sent = Sent()
        self._settings = settings
        self._spans = Spans(_new_id)
        self._resource = resource
        self._began_ns = time.time_ns()
        self._measured: Sequence[Family] = ()
        self._waiting: deque[Traced] = deque()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="telemetry", daemon=True)
        self._well = True

    def put(self, traced: Traced) -> None:
        """Have the spans of a request sent, some time."""
        if len(self._waiting) >= MOST_WAITING:
            self.sent.dropped += 1
        else:
            self._waiting.append(traced)

    def measure(self, families: Sequence[Family]) -> None:
        """Have metrics sent; those that were not sent yet are given up for these."""
        self._measured = families

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether the thread is there."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Send what is left, within a few seconds."""
        self._closing.set()
        self._thread.join(timeout=5)

    def _work(self) -> None:
        # The connection is opened here: gRPC must not do that on the event loop.
        exporter = Exporter(self._settings, self._resource)
        ending = False
        while not ending:
            ending = self._closing.wait(EVERY_S)
            if self._settings.traces:
                self._send_spans(exporter)
            if self._settings.metrics and self._measured:
                self._send_metrics(exporter)
        exporter.close()

    def _send_spans(self, exporter: Exporter) -> None:
        while self._waiting:
            count = min(BATCH, len(self._waiting))
            batch = [self._waiting.popleft() for _ in range(count)]
            made = [spans for traced in batch if (spans := self._made(traced))]
            spans = list(chain.from_iterable(made))
            well = not spans or self._taken(partial(exporter.spans, spans))
            if well:
                self.sent.requests += len(made)
                self.sent.dropped += count - len(made)
            else:
                self.sent.failed_traces += 1
                self.sent.dropped += count
            self._say(well)
            if self._closing.is_set() and not well:
                return

    def _made(self, traced: Traced) -> list[Span]:
        try:
            return list(self._spans.of(traced))
        except Exception as error:  # the thread must outlive whatever one request had in it
            log.error("a request's spans could not be made: %s", type(error).__name__)
            return []

    def _send_metrics(self, exporter: Exporter) -> None:
        families, self._measured = self._measured, ()
        metrics = metrics_of(families, self._began_ns, time.time_ns())
        well = self._taken(partial(exporter.metrics, metrics))
        if not well:
            self.sent.failed_metrics += 1
        self._say(well)

    def _taken(self, export: Callable[[], bool]) -> bool:
        try:
            return export()
        except Exception as error:  # the next export may go well
            log.error("telemetry could not be sent: %s", type(error).__name__)
            return False

    def _say(self, well: bool) -> None:
        if well is not self._well:
            self._well = well
            if well:
                log.info("the collector takes telemetry again")
            else:
                log.warning("the collector %s takes no telemetry", self._settings.endpoint)


def _new_id() -> bytes:
    return (random.getrandbits(64) or 1).to_bytes(8)


def resource(service: str) -> Resource:
    """What all telemetry of this process says of its origin; ``OTEL_RESOURCE_ATTRIBUTES`` adds."""
    own = {"service.name": service, "service.version": __version__}
    return Resource.create({**own, "service.instance.id": str(uuid.uuid4())})
