"""Numbers of 16 bits as text: how a RoutingTable has the weights of its predictor."""

from __future__ import annotations

import base64
import struct
from collections.abc import Sequence


def half_floats(text: str) -> tuple[float, ...]:
    """The IEEE 754 half-precision numbers, little-endian, of a base64 text.

    Raises ``ValueError`` for a text that is none.
    """
    data = base64.b64decode(text, validate=True)
    if len(data) % 2:
        raise ValueError(f"{len(data)} bytes are no whole numbers of two bytes each")
    return struct.unpack(f"<{len(data) // 2}e", data)


def half_float_text(values: Sequence[float]) -> str:
    """What ``half_floats`` reads; raises ``OverflowError`` for a number over 65,504."""
    return base64.b64encode(struct.pack(f"<{len(values)}e", *values)).decode("ascii")
