"""How long a model or a key rests that fails again and again."""

from __future__ import annotations

REST_S = 10.0
"""Seconds of the first rest."""
LONGEST_REST_S = 300.0
"""Seconds that no rest is longer than, unless the provider asked for more."""


def longer(rest_s: float) -> float:
    """The rest after one of ``rest_s`` seconds (0: there was none): twice as long."""
    return min(max(2 * rest_s, REST_S), LONGEST_REST_S)
