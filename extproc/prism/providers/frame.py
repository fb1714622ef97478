"""Frames of server-sent events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from prism.providers.answer import Frame

_encoder = msgspec.json.Encoder()
DONE = b"data: [DONE]\n\n"


def data(value: Mapping[str, Any], tokens: int) -> Frame:
    """A frame of data alone, as Chat Completions sends."""
    return Frame(b"data: " + _encoder.encode(value) + b"\n\n", tokens)


def event(value: Mapping[str, Any], tokens: int) -> Frame:
    """A frame with its type as event name too, as Responses and Anthropic send."""
    name = str(value["type"]).encode()
    return Frame(b"event: " + name + b"\ndata: " + _encoder.encode(value) + b"\n\n", tokens)
