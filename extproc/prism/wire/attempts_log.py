"""The log of attempts: which failed, and how."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from envoy.data.accesslog.v3.accesslog_pb2 import (
    AccessLogCommon,
    HTTPAccessLogEntry,
)
from envoy.service.accesslog.v3.als_pb2 import StreamAccessLogsMessage, StreamAccessLogsResponse

from prism.envoy.names import ATTEMPTS, CLUSTER_TAG
from prism.exchange import headers
from prism.wire.key_number import key_number

SERVICE = "envoy.service.accesslog.v3.AccessLogService"
METHOD = "StreamAccessLogs"
_TLS_ERROR = re.compile("TLS_error:.*?OPENSSL_internal:([A-Z0-9_]{1,60}):")
"""What BoringSSL calls the error."""
_DIGITS = 9
"""Of a number that means anything here."""

decode = StreamAccessLogsMessage.FromString
"""bytes → StreamAccessLogsMessage."""
DONE: bytes = StreamAccessLogsResponse().SerializeToString()


@dataclass(frozen=True, slots=True)
class FailedAttempt:
    """One attempt at ``cluster`` that failed: ``status`` is the provider's answer, ``None``
    where none came; ``reason`` is why Envoy gave it up, where it did. ``retry_after_s`` is how long
    it asked to be left alone. It was over at ``at``, seconds since the epoch, and had taken
    ``took_ms``. ``request_id`` is that of its request.
    """

    cluster: str
    status: int | None
    retry_after_s: float | None
    key_number: int | None
    at: float = 0.0
    took_ms: float = 0.0
    reason: str | None = None
    request_id: str = ""


def failed_attempts(message: StreamAccessLogsMessage) -> Iterator[FailedAttempt]:
    """The failures in a message of the log of attempts.

    An attempt through the internal listener is told of by that listener, which knows its
    real cluster; but only the gateway knows that it ran out of time. Not so in a race: there
    the gateway's time only starts the next attempt, and the listener ends those that are late.
    """
    for entry in message.http_logs.log_entry:
        common, response = entry.common_properties, entry.response
        cluster = common.upstream_cluster or common.custom_tags.get(CLUSTER_TAG, "")
        if cluster == ATTEMPTS:
            if not common.response_flags.upstream_request_timeout:
                continue
            asked = entry.request.request_headers
            if headers.ATTEMPT_TIMEOUT_MS in asked:
                continue
            cluster = asked.get(headers.cluster_header(_number(asked)), "")
        status = response.response_code.value or None
        yield FailedAttempt(
            cluster,
            status,
            _retry_after_s(entry),
            key_number(entry.request.request_id),
            _over_at(common),
            common.duration.seconds * 1000 + common.duration.nanos / 1e6,
            _reason(common),
            entry.request.request_id,
        )


def _over_at(common: AccessLogCommon) -> float:
    start, took = common.start_time, common.duration
    return float(start.seconds + took.seconds + (start.nanos + took.nanos) / 1e9)


def _number(asked: Mapping[str, str]) -> int:
    count = asked.get(headers.ENVOY_ATTEMPT_COUNT, "")
    return int(count) if count.isdecimal() and len(count) < _DIGITS else 0


_REASONS = {
    "no_healthy_upstream": "no host",
    "upstream_connection_failure": "no connection",
    "upstream_request_timeout": "no headers in time",
    "upstream_remote_reset": "reset",
    "upstream_connection_termination": "connection closed",
    "upstream_protocol_error": "not HTTP",
}


def _reason(common: AccessLogCommon) -> str | None:
    flags = common.response_flags
    found = _TLS_ERROR.search(common.upstream_transport_failure_reason)
    if found is not None and flags.upstream_connection_failure:
        # No more of it: the rest may be the provider's words.
        return f"TLS: {found[1]}"
    return next((text for name, text in _REASONS.items() if getattr(flags, name)), None)


def _retry_after_s(entry: HTTPAccessLogEntry) -> float | None:
    """Seconds, or a date (RFC 9110, section 10.2.3); what is neither is not there."""
    text = entry.response.response_headers.get(headers.RETRY_AFTER, "").strip()
    if text.isdecimal():
        return float(text[:_DIGITS])
    if not text:
        return None
    try:
        until = parsedate_to_datetime(text).timestamp()
    except ValueError:
        return None
    return max(0.0, until - _over_at(entry.common_properties))
