"""The log of attempts: which of them count as failed, and what is known of them."""

from __future__ import annotations

import pytest
from envoy.data.accesslog.v3.accesslog_pb2 import HTTPAccessLogEntry
from envoy.service.accesslog.v3.als_pb2 import StreamAccessLogsMessage

from prism.wire import attempts_log
from prism.wire.attempts_log import FailedAttempt


def sent(*entries: HTTPAccessLogEntry) -> StreamAccessLogsMessage:
    message = StreamAccessLogsMessage()
    message.http_logs.log_entry.extend(entries)
    return attempts_log.decode(message.SerializeToString())


def entry(status: int = 200) -> HTTPAccessLogEntry:
    made = HTTPAccessLogEntry()
    made.response.response_code.value = status
    return made


BEGAN = 1_800_000_000
"""Seconds: Fri, 15 Jan 2027 08:00:00 GMT."""


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("7", 7),
        (" 7 ", 7),
        ("0", 0),
        ("9" * 400, 999_999_999),
        ("Fri, 15 Jan 2027 08:01:00 GMT", 58),
        ("Fri, 15 Jan 2027 07:00:00 GMT", 0),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("Fri, 99 Jan 2027 08:01:00 GMT", None),
        ("\u0667", 7),
    ],
)
def test_retry_after(said: str, seconds: float | None) -> None:
    made = entry(429)
    made.common_properties.start_time.FromSeconds(BEGAN)
    made.common_properties.duration.FromSeconds(2)
    made.response.response_headers["retry-after"] = said
    (found,) = attempts_log.failed_attempts(sent(made))
    assert found.retry_after_s == seconds


@pytest.mark.parametrize(
    ("request_id", "number"),
    [("0193abc.4", 4), ("0193abc", None), ("", None), ("a.b", None), ("a." + "1" * 99, None)],
)
def test_the_number_of_the_key(request_id: str, number: int | None) -> None:
    made = entry(429)
    made.common_properties.upstream_cluster = "c"
    made.request.request_id = request_id
    (found,) = attempts_log.failed_attempts(sent(made))
    assert found == FailedAttempt("c", 429, None, number, request_id=request_id)


@pytest.mark.parametrize(
    ("flag", "reason"),
    [
        ("upstream_connection_failure", "no connection"),
        ("upstream_request_timeout", "no headers in time"),
        ("upstream_remote_reset", "reset"),
        ("no_healthy_upstream", "no host"),
        ("downstream_connection_termination", None),
    ],
)
def test_why_an_attempt_was_given_up_and_how_long_it_took(flag: str, reason: str | None) -> None:
    made = entry(0)
    setattr(made.common_properties.response_flags, flag, True)
    made.common_properties.duration.FromMicroseconds(2_000_500)
    (found,) = attempts_log.failed_attempts(sent(made))
    assert (found.reason, found.took_ms) == (reason, 2000.5)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            "TLS_error:|268435581:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:verify "
            "cert failed: SAN matcher, certificate SANs are [a.example]:TLS_error_end",
            "TLS: CERTIFICATE_VERIFY_FAILED",
        ),
        (
            "TLS_error:|33554536:system library:OPENSSL_internal:Connection reset by peer:"
            "TLS_error_end",
            "no connection",
        ),
        ("delayed connect error: Connection refused", "no connection"),
        ("", "no connection"),
    ],
)
def test_why_tls_failed(said: str, reason: str) -> None:
    made = entry(503)
    made.common_properties.response_flags.upstream_connection_failure = True
    made.common_properties.upstream_transport_failure_reason = said
    (found,) = attempts_log.failed_attempts(sent(made))
    assert found.reason == reason
