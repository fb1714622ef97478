"""The server's event loop: one turn for all of gRPC's wake-ups that are there.

grpc.aio polls in a thread of its own, which puts each event into a queue and writes a byte to a
socket that the event loop reads. Its reader empties the queue, but takes one byte: the other bytes
each wake the loop once more, for nothing. A request has four such events.
"""

from __future__ import annotations

import functools
import socket
from collections.abc import Callable
from typing import Any

import uvloop

_READER = "_handle_events"
"""What grpc.aio calls its reader. Should a release call it otherwise, the loop works as any."""
_MOST = 4096
"""Bytes that are looked at; what is behind them wakes the loop again."""


class Loop(uvloop.Loop):  # type: ignore[misc]  # uvloop has no types
    """uvloop's, which knows grpc.aio's reader."""

    def add_reader(self, fd: Any, callback: Callable[..., Any], *args: Any) -> None:
        """Call ``callback`` when there is something to read."""
        called = callback.func if isinstance(callback, functools.partial) else callback
        if getattr(called, "__name__", "") == _READER and isinstance(fd, socket.socket):
            callback = functools.partial(_read_together, fd.recv, callback)
        super().add_reader(fd, callback, *args)


def _read_together(recv: Callable[..., bytes], read: Callable[..., Any], *args: Any) -> None:
    # An event is in the queue before its byte is written, so none is missed.
    waiting = len(recv(_MOST, socket.MSG_PEEK))
    if waiting > 1:
        recv(waiting - 1)
    read(*args)
