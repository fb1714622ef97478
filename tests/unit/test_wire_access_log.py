"""Access log entries: the outcome of a request, and which attempts count as failed."""

from __future__ import annotations

import math

import pytest
from envoy.data.accesslog.v3.accesslog_pb2 import HTTPAccessLogEntry
from envoy.service.accesslog.v3.als_pb2 import StreamAccessLogsMessage

from prism.routing.record import Outcome
from prism.wire import access_log
from prism.wire.access_log import Finished


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
        Finished("d1", Outcome(200, "p", "m", 2, 11, 22, 3, 1250.5, 3000.25))
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


def test_entries_keep_their_order() -> None:
    found = access_log.finished(sent(entry(200), entry(503), entry(404)))
    assert [item.outcome.status for item in found] == [200, 503, 404]
