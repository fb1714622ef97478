"""Access log entries to outcomes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from envoy.data.accesslog.v3.accesslog_pb2 import HTTPAccessLogEntry
from envoy.service.accesslog.v3.als_pb2 import StreamAccessLogsMessage, StreamAccessLogsResponse

from prism.envoy.names import METADATA, USAGE
from prism.exchange import headers
from prism.routing.record import Outcome

SERVICE = "envoy.service.accesslog.v3.AccessLogService"
METHOD = "StreamAccessLogs"
MOST_TOKENS = 2**53
"""Counts beyond this are no counts; a double does not hold them exactly either."""

decode = StreamAccessLogsMessage.FromString
"""bytes → StreamAccessLogsMessage."""
DONE: bytes = StreamAccessLogsResponse().SerializeToString()


@dataclass(frozen=True, slots=True)
class Finished:
    """A client's request that is over. ``decision_id`` is ``None`` where Prism had no say."""

    decision_id: str | None
    outcome: Outcome


def finished(message: StreamAccessLogsMessage) -> Iterator[Finished]:
    """The outcomes in a message of the gateway's log."""
    for entry in message.http_logs.log_entry:
        metadata = entry.common_properties.metadata.filter_metadata
        labels = metadata[METADATA].fields if METADATA in metadata else {}
        decision_id = labels["decision_id"].string_value if "decision_id" in labels else None
        yield Finished(decision_id, _outcome(entry))


def _outcome(entry: HTTPAccessLogEntry) -> Outcome:
    common, response = entry.common_properties, entry.response
    metadata = common.metadata.filter_metadata
    usage = metadata[USAGE].fields if USAGE in metadata else {}

    def tokens(key: str) -> int | None:
        # A provider's own words: only a count is taken as one.
        number = usage[key].number_value if key in usage else -1.0
        return int(number) if 0 <= number < MOST_TOKENS else None

    answered = response.response_headers
    first = common.time_to_first_downstream_tx_byte
    started = common.HasField("time_to_first_downstream_tx_byte")
    total = common.duration
    return Outcome(
        status=response.response_code.value or None,
        provider=answered.get(headers.PROVIDER),
        model=answered.get(headers.MODEL),
        attempts=common.upstream_request_attempt_count or None,
        input_tokens=tokens("input"),
        output_tokens=tokens("output"),
        cached_input_tokens=tokens("cached"),
        first_byte_ms=first.seconds * 1000 + first.nanos / 1e6 if started else None,
        total_ms=total.seconds * 1000 + total.nanos / 1e6,
    )
