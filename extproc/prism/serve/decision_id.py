"""Ids of decisions."""

from __future__ import annotations

import os

_IDS = 512
_BITS = 8
"""Random bytes of one id."""


class _Random:
    """Random bytes for ids, asked of the system for many at a time: each asking costs as much as
    reading a request's headers."""

    __slots__ = ("_at", "_bytes")

    def __init__(self) -> None:
        self._bytes = b""
        self._at = 0

    def hex(self) -> str:
        start = self._at
        if start >= len(self._bytes):
            self._bytes, start = os.urandom(_IDS * _BITS), 0
        self._at = start + _BITS
        return self._bytes[start : start + _BITS].hex()


_random = _Random()


def new_decision_id(now_ns: int) -> str:
    """Sorts by time: 12 hex digits of milliseconds since the epoch, then 64 random bits.

    Not for several threads at a time.
    """
    return f"{now_ns // 1_000_000:012x}{_random.hex()}"
