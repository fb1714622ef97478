"""Server-sent events from bytes that are cut anywhere, and to bytes.

The rules are those of the HTML standard, "Parsing an event stream": a line ends with CR, LF or
both; a line of data that is cut at the end of the stream is not dispatched.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from prism.translate.document import dump

LARGEST_EVENT = 16 * 1024 * 1024
"""Bytes of one event; no provider sends such, and memory is bounded by it."""

DONE = b"data: [DONE]\n\n"
_BOM = b"\xef\xbb\xbf"
_CR, _LF = b"\r", b"\n"


class Event(NamedTuple):
    """One event; ``name`` is empty where the stream names none."""

    name: str
    data: str


class EventTooLarge(Exception):
    """An event is larger than ``LARGEST_EVENT``."""


class EventReader:
    """Takes a stream's bytes as they come, and gives the events that they complete."""

    __slots__ = ("_data", "_line", "_name", "_size", "_skip_lf", "_started")

    def __init__(self) -> None:
        self._line = bytearray()
        self._name = ""
        self._data: list[str] = []
        self._size = 0
        self._started = False
        self._skip_lf = False

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """The events whose end is in ``chunk``.

        Raises:
            EventTooLarge: while iterating.
        """
        for line in self._lines(chunk):
            if line:
                self._field(line)
            elif self._data:
                yield Event(self._name, "\n".join(self._data))
                self._name, self._data, self._size = "", [], 0
            else:
                self._name = ""

    def _lines(self, chunk: bytes) -> Iterator[bytes]:
        if not chunk:
            return
        if self._skip_lf:
            # The last chunk ended with CR, which ended its line; this may be the rest of CR LF.
            chunk = chunk.removeprefix(_LF)
        self._skip_lf = chunk.endswith(_CR)
        # bytes.splitlines knows CR, LF and CR LF, and nothing else.
        for piece in chunk.splitlines(keepends=True):
            self._line += piece
            if len(self._line) + self._size > LARGEST_EVENT:
                raise EventTooLarge
            if piece.endswith((_CR, _LF)):
                line = bytes(self._line).rstrip(b"\r\n")
                self._line.clear()
                yield line if self._started else line.removeprefix(_BOM)
                self._started = True

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        if name == b"data":
            self._size += len(line)
            self._data.append(_text(value))
        elif name == b"event":
            self._name = _text(value)


def _text(value: bytes) -> str:
    return value.removeprefix(b" ").decode(errors="replace")


def data_frame(value: Any) -> bytes:
    """A frame of data alone, as Chat Completions streams."""
    return b"data: " + dump(value) + b"\n\n"


def event_frame(value: dict[str, Any]) -> bytes:
    """A frame named by the ``type`` of its value, as Anthropic's API streams."""
    return b"event: " + str(value["type"]).encode() + b"\ndata: " + dump(value) + b"\n\n"
