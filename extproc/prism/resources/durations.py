"""Durations as Kubernetes' Gateway API writes them: 500ms, 30s, 1m30s."""

from __future__ import annotations

import re

_PART = re.compile(r"([0-9]+)(ms|h|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def seconds(duration: str) -> float:
    """The seconds of a duration that the schema's pattern has accepted."""
    return sum(int(count) * _SECONDS[unit] for count, unit in _PART.findall(duration))
