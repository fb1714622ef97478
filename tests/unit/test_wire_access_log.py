"""Access log entries: the outcome of a request, and which attempts count as failed."""

from __future__ import annotations

import math

import pytest
from envoy.data.accesslog.v3.accesslog_pb2 import HTTPAccessLogEntry
from envoy.service.accesslog.v3.als_pb2 import StreamAccessLogsMessage

from prism.routing.record import Outcome
from prism.wire import access_log
from prism.wire.access_log import FailedAttempt, Finished


def sent(*entries: HTTPAccessLogEntry) -> StreamAccessLogsMessage:
    message = StreamAccessLogsMessage()
    message.http_logs.log_entry.extend(entries)
    return access_log.decode(message.SerializeToString())


def entry(status: int = 200, usage: dict[str, object] | None = None) -> HTTPAccessLogEntry:
    made = HTTPAccessLogEntry()
    common = made.common_properties
    common.metadata.filter_metadata["prism"].update({"decision_id": "d1"})
    if usage is not None:
        common.metadata.filter_metadata["prism.usage"].update(usage)
    made.response.response_code.value = status
    return made


def outcome(made: HTTPAccessLogEntry) -> Outcome:
    (found,) = access_log.finished(sent(made))
    return found.outcome


def test_a_whole_outcome() -> None:
    made = entry(usage={"input": 11, "output": 22, "cached": 3})
    made.response.response_headers.update({"x-prism-model": "m", "x-prism-provider": "p"})
    common = made.common_properties
    common.upstream_request_attempt_count = 2
    common.time_to_first_downstream_tx_byte.FromMicroseconds(1_250_500)
    common.duration.FromMicroseconds(3_000_250)
    assert list(access_log.finished(sent(made))) == [
        Finished("d1", Outcome(200, "p", "m", 2, 11, 22, 3, 1250.5, 3000.25), at=3.00025)
    ]


def test_what_is_not_there_is_none() -> None:
    made = HTTPAccessLogEntry()
    expected = Outcome(None, None, None, None, None, None, None, None, 0.0)
    assert list(access_log.finished(sent(made))) == [Finished(None, expected)]


def test_a_first_byte_at_once_is_a_first_byte() -> None:
    made = entry()
    made.common_properties.time_to_first_downstream_tx_byte.FromNanoseconds(0)
    assert outcome(made).first_byte_ms == 0.0


@pytest.mark.parametrize("count", [math.nan, math.inf, -math.inf, -5, 1e300])
def test_a_count_that_is_none_is_not_taken(count: float) -> None:
    found = outcome(entry(usage={"input": count, "output": 7}))
    assert (found.input_tokens, found.output_tokens) == (None, 7)


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        # Chat Completions and Responses: the cached ones are among the input.
        ({"input": 100, "output": 5, "cached": 60}, (100, 5, 60, None)),
        ({"input": 100, "output": 5, "cached": 60, "cache_write": 30}, (100, 5, 60, 30)),
        # Messages: they are counted apart.
        ({"input": 10, "output": 5, "cache_read": 60, "cache_created": 30}, (100, 5, 60, 30)),
        ({"input": 10, "output": 5, "cache_read": 0, "cache_created": 0}, (10, 5, 0, 0)),
        ({"output": 5, "cache_read": 60}, (None, 5, 60, None)),
        # Null, as a stream's last delta may have it, is no count.
        ({"input": 10, "output": 5, "cache_read": None}, (10, 5, None, None)),
    ],
)
def test_input_is_all_input_whatever_the_api_counts(
    usage: dict[str, object], expected: tuple[int | None, ...]
) -> None:
    found = outcome(entry(usage=usage))
    assert expected == (
        found.input_tokens,
        found.output_tokens,
        found.cached_input_tokens,
        found.cache_write_tokens,
    )


def test_entries_keep_their_order() -> None:
    found = access_log.finished(sent(entry(200), entry(503), entry(404)))
    assert [item.outcome.status for item in found] == [200, 503, 404]


def test_when_the_answer_began_is_counted_from_its_own_attempt() -> None:
    made = entry()
    common = made.common_properties
    common.time_to_first_upstream_tx_byte.FromMilliseconds(9_900)
    common.time_to_first_upstream_rx_byte.FromMicroseconds(10_150_500)
    (found,) = access_log.finished(sent(made))
    assert found.to_headers_ms == 250.5


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
    (found,) = access_log.failed_attempts(sent(made))
    assert found.retry_after_s == seconds


@pytest.mark.parametrize(
    ("request_id", "number"),
    [("0193abc.4", 4), ("0193abc", None), ("", None), ("a.b", None), ("a." + "1" * 99, None)],
)
def test_the_number_of_the_key(request_id: str, number: int | None) -> None:
    made = entry(429)
    made.common_properties.upstream_cluster = "c"
    made.request.request_id = request_id
    (found,) = access_log.failed_attempts(sent(made))
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
    (found,) = access_log.failed_attempts(sent(made))
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
    (found,) = access_log.failed_attempts(sent(made))
    assert found.reason == reason


SPAN = "cd" * 8


def tagged(traceparent: str, span: str = SPAN) -> Finished:
    made = entry()
    common = made.common_properties
    common.custom_tags.update({"traceparent": traceparent, "span": span})
    common.start_time.FromNanoseconds(10**18)
    common.duration.FromMilliseconds(5)
    (found,) = access_log.finished(sent(made))
    return found


def test_a_sampled_request_names_its_trace() -> None:
    found = tagged(f"00-{'ab' * 16}-{'ef' * 8}-01").trace
    assert found == access_log.Trace("ab" * 16, SPAN, 10**18, 10**18 + 5_000_000)
    assert tagged(f"00-{'ab' * 16}-{'ef' * 8}-01").outcome.trace_id == "ab" * 16


@pytest.mark.parametrize(
    "traceparent",
    [f"00-{'ab' * 16}-{'ef' * 8}-00", "-", "", f"00-{'zz' * 16}-{'ef' * 8}-01", "00-1-2-01"],
)
def test_what_is_not_sampled_or_no_trace_has_none(traceparent: str) -> None:
    assert tagged(traceparent).trace is None
    assert tagged(f"00-{'ab' * 16}-{'ef' * 8}-01", "-").trace is None


def test_prism_s_own_answer_has_its_decision_in_a_header() -> None:
    made = HTTPAccessLogEntry()
    made.response.response_headers["x-prism-decision-id"] = "d2"
    (found,) = access_log.finished(sent(made))
    assert (found.decision_id, found.own) == ("d2", True)
    (labelled,) = access_log.finished(sent(entry()))
    assert (labelled.decision_id, labelled.own) == ("d1", False)
