"""Which of a provider's keys an attempt had, as Envoy's logs tell it."""

from __future__ import annotations

_DIGITS = 9
"""Of a number that means anything here."""


def key_number(request_id: str) -> int | None:
    """The number that the stages put behind the decision's id."""
    _, dot, number = request_id.rpartition(".")
    return int(number) if dot and number.isdecimal() and len(number) < _DIGITS else None
