"""Durations as Kubernetes' Gateway API writes them: 500ms, 30s, 1m30s."""

from __future__ import annotations

import re

_PART = re.compile(r"([0-9]+)(ms|h|m|s)")
_MILLISECONDS = {"h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}


def seconds(duration: str) -> float:
    """The seconds of a duration that the schema's pattern has accepted."""
    # Summed in whole milliseconds: 1ms9ms is 10ms, which it is not in floating point.
    return sum(int(count) * _MILLISECONDS[unit] for count, unit in _PART.findall(duration)) / 1000
