"""The gateway's log: a line for each request that is over.

Envoy's own form of an entry has ten times as many bytes, most of which nobody reads, and for Envoy
as for Prism costs twice as much as a line. See
``docs/decisions/0033-the-gateways-log-is-lines.md``.
"""

from __future__ import annotations

from typing import Final

from prism.envoy import names
from prism.exchange import headers

SEPARATOR: Final = "\x1f"
"""Between the values of a line; no header can hold it."""
MISSING: Final = "-"
"""Stands where there is no value."""

VALUES: Final = {
    "decision_id": f"%DYNAMIC_METADATA({names.METADATA}:decision_id)%",
    # What Prism answers itself has no labels.
    "own_decision_id": f"%RESP({headers.DECISION_ID})%",
    "request_id": f"%REQ({headers.REQUEST_ID})%",
    "status": "%RESPONSE_CODE%",
    "flags": "%RESPONSE_FLAGS%",
    "model": f"%RESP({headers.MODEL})%",
    "provider": f"%RESP({headers.PROVIDER})%",
    "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
    # Seconds since the epoch, then microseconds from the request's first byte to the answer's last
    # and first; then those that the last attempt took from one to the other.
    "came_s": "%START_TIME(%s.%9f)%",
    "total_us": "%COMMON_DURATION(DS_RX_BEG:DS_TX_END:us)%",
    "first_byte_us": "%COMMON_DURATION(DS_RX_BEG:DS_TX_BEG:us)%",
    "to_headers_us": "%COMMON_DURATION(US_TX_BEG:US_RX_BEG:us)%",
    # Where no answer went out.
    "total_ms": "%DURATION%",
    "usage": f"%DYNAMIC_METADATA({names.USAGE})%",
    "said_error": f"%DYNAMIC_METADATA({names.STREAM}:{names.FAILED})%",
}
"""What a line has, in this order, and how Envoy writes it."""
TRACED: Final = {
    # The one that the last attempt had, and the id of Envoy's own span of the request.
    "traceparent": f"%REQ({headers.TRACEPARENT})%",
    "span_id": "%SPAN_ID%",
}
"""What it has at its end where requests are traced."""


def line(*, traced: bool) -> str:
    """The format of a line."""
    return SEPARATOR.join((*VALUES.values(), *(TRACED.values() if traced else ())))
