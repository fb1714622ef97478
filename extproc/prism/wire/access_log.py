"""Access log entries to outcomes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from envoy.data.accesslog.v3.accesslog_pb2 import (
    AccessLogCommon,
    HTTPAccessLogEntry,
    ResponseFlags,
)
from envoy.service.accesslog.v3.als_pb2 import StreamAccessLogsMessage, StreamAccessLogsResponse

from prism.envoy.names import (
    ATTEMPTS,
    CLUSTER_TAG,
    FAILED,
    METADATA,
    SPAN_TAG,
    STREAM,
    TRACE_TAG,
    USAGE,
)
from prism.exchange import headers
from prism.routing.record import Outcome

SERVICE = "envoy.service.accesslog.v3.AccessLogService"
METHOD = "StreamAccessLogs"
MOST_TOKENS = 2**53
"""Counts beyond this are no counts; a double does not hold them exactly either."""
_SAMPLED = re.compile("[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f][13579bdf]")
"""A ``traceparent`` whose flags have the lowest bit set."""
_SPAN = re.compile("[0-9a-f]{16}")
_TLS_ERROR = re.compile("TLS_error:.*?OPENSSL_internal:([A-Z0-9_]{1,60}):")
"""What BoringSSL calls the error."""
_DIGITS = 9
"""Of a number that means anything here."""

decode = StreamAccessLogsMessage.FromString
"""bytes → StreamAccessLogsMessage."""
DONE: bytes = StreamAccessLogsResponse().SerializeToString()


@dataclass(frozen=True, slots=True)
class Trace:
    """A sampled request's trace, and in it Envoy's span of the request: ids in hex. The request
    came and was over at ``came_ns`` and ``over_ns``, nanoseconds since the epoch."""

    trace_id: str
    span_id: str
    came_ns: int
    over_ns: int


@dataclass(frozen=True, slots=True)
class Finished:
    """A client's request that is over. ``decision_id`` is ``None`` where Prism had no say.

    ``whole`` is false where a provider broke its answer off. ``to_headers_ms`` is how long
    the last attempt took until its answer began, ``None`` where none did. ``key_number``
    tells which key of several attempt 1 had. ``said_error``: a good status, and then an error
    among the events of the stream. It was over at ``at``, seconds since the epoch. ``trace`` is
    there where the request is sampled. ``own`` says that Prism itself answered. ``request_id`` is
    what Envoy calls the request in all its logs.
    """

    decision_id: str | None
    outcome: Outcome
    whole: bool = True
    to_headers_ms: float | None = None
    key_number: int | None = None
    said_error: bool = False
    at: float = 0.0
    trace: Trace | None = None
    own: bool = False
    request_id: str = ""


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


def finished(message: StreamAccessLogsMessage) -> Iterator[Finished]:
    """The outcomes in a message of the gateway's log."""
    for entry in message.http_logs.log_entry:
        common = entry.common_properties
        metadata = common.metadata.filter_metadata
        labels = metadata[METADATA].fields if METADATA in metadata else {}
        decision_id, own = None, False
        if "decision_id" in labels:
            decision_id = labels["decision_id"].string_value
        elif headers.DECISION_ID in entry.response.response_headers:
            # What Prism answers itself has no labels.
            decision_id, own = entry.response.response_headers[headers.DECISION_ID], True
        trace = _trace(common)
        yield Finished(
            decision_id,
            _outcome(entry, None if trace is None else trace.trace_id),
            not (common.HasField("response_flags") and _broken(common.response_flags)),
            _to_headers_ms(common),
            _key_number(entry.request.request_id),
            STREAM in metadata and FAILED in metadata[STREAM].fields,
            at=_over_at(common),
            trace=trace,
            own=own,
            request_id=entry.request.request_id,
        )


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
            _key_number(entry.request.request_id),
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


def _broken(flags: ResponseFlags) -> bool:
    return any(
        (
            flags.upstream_connection_termination,
            flags.upstream_remote_reset,
            flags.upstream_protocol_error,
            flags.upstream_request_timeout,
        )
    )


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


def _to_headers_ms(common: AccessLogCommon) -> float | None:
    """From the attempt's first byte out to its first byte back."""
    if not common.HasField("time_to_first_upstream_rx_byte"):
        return None
    sent, came = common.time_to_first_upstream_tx_byte, common.time_to_first_upstream_rx_byte
    return float((came.seconds - sent.seconds) * 1000 + (came.nanos - sent.nanos) / 1e6)


def _trace(common: AccessLogCommon) -> Trace | None:
    """What the flags of the request's ``traceparent`` say (W3C Trace Context, 3.2.2.5)."""
    tags = common.custom_tags
    if TRACE_TAG not in tags or (found := _SAMPLED.fullmatch(tags[TRACE_TAG])) is None:
        return None
    span_id = tags.get(SPAN_TAG, "")
    if not _SPAN.fullmatch(span_id):
        return None
    came: int = common.start_time.ToNanoseconds()
    return Trace(found[1], span_id, came, came + common.duration.ToNanoseconds())


def _key_number(request_id: str) -> int | None:
    """The number that the stages put behind the decision's id."""
    _, dot, number = request_id.rpartition(".")
    return int(number) if dot and number.isdecimal() and len(number) < _DIGITS else None


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


def _outcome(entry: HTTPAccessLogEntry, trace_id: str | None) -> Outcome:
    common, response = entry.common_properties, entry.response
    metadata = common.metadata.filter_metadata
    usage = metadata[USAGE].fields if USAGE in metadata else {}
    # A provider's own words: only a count is taken as one.
    tokens = {
        key: int(value.number_value)
        for key, value in usage.items()
        if value.HasField("number_value") and 0 <= value.number_value < MOST_TOKENS
    }.get
    read, created = tokens("cache_read"), tokens("cache_created")
    taken = tokens("input")
    if taken is not None:
        # Anthropic's API counts those from and to the cache apart.
        taken += (read or 0) + (created or 0)
    answered = response.response_headers
    first = common.time_to_first_downstream_tx_byte
    started = common.HasField("time_to_first_downstream_tx_byte")
    total = common.duration
    return Outcome(
        status=response.response_code.value or None,
        provider=answered.get(headers.PROVIDER),
        model=answered.get(headers.MODEL),
        attempts=common.upstream_request_attempt_count or None,
        input_tokens=taken,
        output_tokens=tokens("output"),
        cached_input_tokens=tokens("cached") if read is None else read,
        cache_write_tokens=tokens("cache_write") if created is None else created,
        first_byte_ms=first.seconds * 1000 + first.nanos / 1e6 if started else None,
        total_ms=total.seconds * 1000 + total.nanos / 1e6,
        trace_id=trace_id,
    )
