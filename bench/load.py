"""The load: one process, keep-alive connections, each sends its next request after an answer.

Closed loop: ``concurrency`` requests are always under way. HTTP is read only as far as must
be known: the status, one header that has to be there, and where the answer ends.
"""

from __future__ import annotations

import asyncio
import gc
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import cast

from prompts import DIGITS, Request

SETTLE_S = 0.2
"""Seconds of load before anything counts: connections open, queues fill."""
STUCK_S = 20.0
"""A stretch of load that ends this much later than planned ends the benchmark."""
_SHOWN = 2000
"""Bytes of a bad answer that are shown."""


class BadAnswer(Exception):
    """An answer was not what it must be; the message shows it."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one stretch of load gave. ``seconds`` is its length without the settling.

    ``latencies`` (seconds, from writing a request to having its whole answer) are of the
    answers that came within it.
    """

    seconds: float
    latencies: array[float]


class Load:
    """Sends ``requests`` to a port of this machine, numbering them on from run to run.

    ``marker`` must be among the headers of every answer.
    """

    def __init__(self, requests: Sequence[Request], port: int, marker: bytes) -> None:
        self._requests = requests
        self._port = port
        self.marker = marker
        self.sent = 0
        """Requests so far, those of the settling included."""

    async def run(self, seconds: float, concurrency: int) -> Sample:
        """Keep ``concurrency`` requests under way; raises ``BadAnswer`` at the first bad one."""
        stretch = _Stretch(self, seconds, concurrency)
        loop = asyncio.get_running_loop()
        connections = [
            (await loop.create_connection(lambda: _Connection(stretch), "127.0.0.1", self._port))[1]
            for _ in range(concurrency)
        ]
        # A collection of garbage would land in somebody's latency.
        gc.collect()
        gc.disable()
        try:
            stretch.start()
            for connection in connections:
                connection.send()
            await stretch.over()
        finally:
            gc.enable()
            for connection in connections:
                connection.close()
        if not stretch.latencies:
            raise BadAnswer(f"no answer within {seconds:g} s")
        return Sample(seconds, stretch.latencies)

    def next_request(self) -> tuple[bytes, bytes, bytes]:
        """The pieces of the next request."""
        request = self._requests[self.sent % len(self._requests)]
        self.sent += 1
        return request.head, b"%0*d" % (DIGITS, self.sent), request.tail


class _Stretch:
    """One run: when it counts, what it found, and how it ended."""

    __slots__ = ("_busy", "_ended", "_seconds", "latencies", "load", "since", "until")

    def __init__(self, load: Load, seconds: float, concurrency: int) -> None:
        self.load = load
        self.latencies: array[float] = array("d")
        self.since = self.until = 0.0
        self._seconds = seconds
        self._busy = concurrency
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def start(self) -> None:
        """The settling begins now."""
        self.since = perf_counter() + SETTLE_S
        self.until = self.since + self._seconds

    def done(self) -> None:
        """A connection has had its last answer."""
        self._busy -= 1
        if not self._busy and not self._ended.done():
            self._ended.set_result(None)

    def fail(self, message: str) -> None:
        """End the run; the first reason counts."""
        if not self._ended.done():
            self._ended.set_exception(BadAnswer(message))

    async def over(self) -> None:
        """Wait for the last answer of every connection."""
        try:
            await asyncio.wait_for(self._ended, SETTLE_S + self._seconds + STUCK_S)
        except TimeoutError:
            raise BadAnswer(f"an answer took longer than {STUCK_S:g} s") from None


class _Connection(asyncio.Protocol):
    """One client."""

    __slots__ = ("_began", "_closed", "_got", "_stretch", "_total", "_transport")

    def __init__(self, stretch: _Stretch) -> None:
        self._stretch = stretch
        self._transport: asyncio.Transport
        self._got = b""
        self._total = 0
        self._began = 0.0
        self._closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass

    def send(self) -> None:
        """Send the next request."""
        self._began = perf_counter()
        self._transport.writelines(self._stretch.load.next_request())

    def data_received(self, data: bytes) -> None:
        """Take a piece of an answer; nearly always it is the whole."""
        self._got = got = self._got + data if self._got else data
        if not self._total and not self._read_head(got):
            return
        if len(got) < self._total:
            return
        now = perf_counter()
        stretch = self._stretch
        if len(got) > self._total:
            stretch.fail(f"more than one answer to one request:\n{_shown(got)}")
            return
        self._got, self._total = b"", 0
        if stretch.since <= now <= stretch.until:
            stretch.latencies.append(now - self._began)
        if now < stretch.until:
            self.send()
        else:
            stretch.done()

    def _read_head(self, got: bytes) -> bool:
        """Check the head once it is there, and find out where the answer ends."""
        end = got.find(b"\r\n\r\n")
        if end < 0:
            return False
        place = got.find(b"\r\ncontent-length: ", 0, end)
        wanted = (
            got.startswith(b"HTTP/1.1 200 ") and got.find(self._stretch.load.marker, 0, end) > 0
        )
        if not wanted or place < 0:
            self._stretch.fail(f"not the answer that was expected:\n{_shown(got)}")
            return False
        self._total = end + 4 + int(got[place + 18 : got.find(b"\r\n", place + 18)])
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Only ``close`` may end a connection."""
        if not self._closed:
            self._stretch.fail(f"the connection was closed instead of an answer ({exc})")

    def close(self) -> None:
        """End the connection."""
        self._closed = True
        self._transport.abort()


def _shown(answer: bytes) -> str:
    return answer[:_SHOWN].decode("utf-8", "replace")
