"""Sends spans, metrics and log events to a collector, from a thread of its own.

Whoever has something to send only appends it to a bounded queue. A collector that is slow or
gone costs memory for that queue and nothing else: what does not fit is dropped and counted.
"""

from __future__ import annotations

import logging
import random
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import chain
from typing import TypeVar

from opentelemetry.sdk.resources import Resource

from prism import __version__
from prism.otlp.v1.otlp_pb2 import LogRecord
from prism.routing.feedback import Feedback, Subject
from prism.telemetry.events import decision_event, evaluation_event
from prism.telemetry.exporting import Exporter
from prism.telemetry.line import Line
from prism.telemetry.metric import Family
from prism.telemetry.otlp import metrics_of
from prism.telemetry.settings import Telemetry
from prism.telemetry.spans import Spans
from prism.telemetry.told import Graded, Told

log = logging.getLogger(__name__)

MOST_WAITING = 2048
"""Requests whose spans wait to be sent."""
MOST_EVENTS = 8192
"""Log events that wait to be sent: there is one for every request, not only for sampled ones."""
BATCH = 256
"""Requests in one export."""
EVERY_S = 1.0
"""Seconds between two looks at the queues."""
_Item = TypeVar("_Item")
_Message = TypeVar("_Message")


class Sending:
    """The queues and their thread; begin with ``start``, end with ``close``."""

    def __init__(self, settings: Telemetry, resource: Resource) -> None:
        self.traces: Line[Told] = Line(MOST_WAITING)
        self.logs: Line[Told | Graded] = Line(MOST_EVENTS)
        self.failed_metrics = 0
        self._settings = settings
        self._spans = Spans(_new_id)
        self._resource = resource
        self._began_ns = time.time_ns()
        self._measured: Sequence[Family] = ()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="telemetry", daemon=True)
        self._unwell: set[str] = set()

    def wants(self, *, sampled: bool) -> bool:
        """Whether there is anything to be told of a request."""
        return self._settings.logs or (sampled and self._settings.traces)

    def put(self, told: Told) -> None:
        """Have the spans of a request sent, and its event, some time."""
        if told.trace is not None and self._settings.traces:
            self.traces.put(told)
        if self._settings.logs:
            self.logs.put(told)

    def evaluated(self, said: Feedback, subject: Subject) -> None:
        """Have feedback sent that was kept."""
        if self._settings.logs:
            self.logs.put(Graded(said, subject, time.time_ns()))

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
            self._send("traces", self.traces, self._spans.of, exporter.spans)
            if self._settings.metrics and self._measured:
                self._send_metrics(exporter)
            self._send("logs", self.logs, _events_of, exporter.events)
        exporter.close()

    def _send(
        self,
        signal: str,
        line: Line[_Item],
        make: Callable[[_Item], Iterable[_Message]],
        export: Callable[[list[_Message]], bool],
    ) -> None:
        while len(line):
            batch = line.take(BATCH)
            made = [messages for item in batch if (messages := _made(make, item))]
            messages = list(chain.from_iterable(made))
            well = not messages or self._taken(partial(export, messages))
            if well:
                line.sent += len(made)
                line.lost += len(batch) - len(made)
            else:
                line.failed += 1
                line.lost += len(batch)
            self._say(signal, well)
            if self._closing.is_set() and not well:
                return

    def _send_metrics(self, exporter: Exporter) -> None:
        families, self._measured = self._measured, ()
        metrics = metrics_of(families, self._began_ns, time.time_ns())
        well = self._taken(partial(exporter.metrics, metrics))
        if not well:
            self.failed_metrics += 1
        self._say("metrics", well)

    def _taken(self, export: Callable[[], bool]) -> bool:
        try:
            return export()
        except Exception as error:  # the next export may go well
            log.error("telemetry could not be sent: %s", type(error).__name__)
            return False

    def _say(self, signal: str, well: bool) -> None:
        """Log it where something has changed; a collector may take one kind and not another."""
        if well and signal in self._unwell:
            self._unwell.remove(signal)
            log.info("the collector takes %s again", signal)
        elif not well and signal not in self._unwell:
            self._unwell.add(signal)
            log.warning("the collector %s takes no %s", self._settings.endpoint, signal)


def _events_of(item: Told | Graded) -> list[LogRecord]:
    return [evaluation_event(item) if isinstance(item, Graded) else decision_event(item)]


def _made(make: Callable[[_Item], Iterable[_Message]], item: _Item) -> list[_Message]:
    try:
        return list(make(item))
    except Exception as error:  # the thread must outlive whatever one request had in it
        log.error("what a request was could not be told: %s", type(error).__name__)
        return []


def _new_id() -> bytes:
    return (random.getrandbits(64) or 1).to_bytes(8)


def resource(service: str) -> Resource:
    """What all telemetry of this process says of its origin; ``OTEL_RESOURCE_ATTRIBUTES`` adds."""
    own = {"service.name": service, "service.version": __version__}
    return Resource.create({**own, "service.instance.id": str(uuid.uuid4())})
