"""The gateway's log to outcomes: a line for each request that is over, in OTLP."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from prism.envoy.lines import MISSING, SEPARATOR, TRACED, VALUES
from prism.otlp.v1.received_pb2 import ExportLogsServiceRequest
from prism.routing.record import Outcome
from prism.wire.key_number import key_number

SERVICE = "opentelemetry.proto.collector.logs.v1.LogsService"
METHOD = "Export"
DONE = b""
"""An ExportLogsServiceResponse: all was taken."""
MOST_TOKENS = 2**53
"""Counts beyond this are no counts; a double does not hold them exactly either."""
_SAMPLED = re.compile("[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f][13579bdf]")
"""A ``traceparent`` whose flags have the lowest bit set."""
_SPAN = re.compile("[0-9a-f]{16}")
_BROKEN = frozenset({"UC", "UR", "UPE", "UT"})
"""Envoy's flags of answers that a provider broke off: connection closed, reset, not HTTP, late."""
_NO_USAGE: Mapping[str, int] = {}

decode = ExportLogsServiceRequest.FromString
"""bytes → ExportLogsServiceRequest."""


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


class _Line(NamedTuple):
    """The values of a line, by their names in ``prism.envoy.lines``."""

    decision_id: str
    own_decision_id: str
    request_id: str
    status: str
    flags: str
    model: str
    provider: str
    attempts: str
    came_s: str
    total_us: str
    first_byte_us: str
    to_headers_us: str
    total_ms: str
    usage: str
    said_error: str
    traceparent: str = MISSING
    span_id: str = MISSING


_LENGTHS = len(VALUES), len(VALUES) + len(TRACED)


def finished(message: ExportLogsServiceRequest) -> Iterator[Finished]:
    """The outcomes in a message."""
    for resource in message.resource_logs:
        for scope in resource.scope_logs:
            for record in scope.log_records:
                text = record.body.string_value.decode("utf-8", "replace")
                values = text.split(SEPARATOR)
                if len(values) in _LENGTHS:
                    yield _finished(_Line(*values))


def _finished(line: _Line) -> Finished:
    took_ms = _count(line.total_ms) if line.total_us == MISSING else int(line.total_us) / 1000
    trace = None if line.span_id == MISSING else _trace(line, took_ms)
    own, request_id = line.decision_id == MISSING, line.request_id
    return Finished(
        _known(line.own_decision_id) if own else line.decision_id,
        _outcome(line, took_ms, trace),
        whole=line.flags == MISSING or _BROKEN.isdisjoint(line.flags.split(",")),
        to_headers_ms=_ms(line.to_headers_us),
        key_number=key_number(request_id),
        said_error=line.said_error != MISSING,
        at=float(line.came_s) + took_ms / 1000,
        trace=trace,
        own=own and line.own_decision_id != MISSING,
        request_id="" if request_id == MISSING else request_id,
    )


def _outcome(line: _Line, took_ms: float, trace: Trace | None) -> Outcome:
    tokens = _NO_USAGE if line.usage == MISSING else _tokens(line.usage)
    taken, read, created = map(tokens.get, ("input", "cache_read", "cache_created"))
    if taken is not None:
        # Anthropic's API counts those from and to the cache apart.
        taken += (read or 0) + (created or 0)
    return Outcome(
        status=_count(line.status) or None,
        provider=_known(line.provider),
        model=_known(line.model),
        attempts=_count(line.attempts) or None,
        input_tokens=taken,
        output_tokens=tokens.get("output"),
        cached_input_tokens=tokens.get("cached") if read is None else read,
        cache_write_tokens=tokens.get("cache_write") if created is None else created,
        first_byte_ms=_ms(line.first_byte_us),
        total_ms=took_ms,
        trace_id=None if trace is None else trace.trace_id,
    )


def _ms(microseconds: str) -> float | None:
    return None if microseconds == MISSING else int(microseconds) / 1000


def _known(text: str) -> str | None:
    return None if text == MISSING else text


def _count(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def _tokens(usage: str) -> dict[str, int]:
    """A provider's own words: only a count is taken as one."""
    return {
        key: int(value)
        for key, value in msgspec.json.decode(usage).items()
        if type(value) in (int, float) and 0 <= value < MOST_TOKENS
    }


def _trace(line: _Line, took_ms: float) -> Trace | None:
    """What the flags of the request's ``traceparent`` say (W3C Trace Context, 3.2.2.5)."""
    sampled = _SAMPLED.fullmatch(line.traceparent)
    if sampled is None or not _SPAN.fullmatch(line.span_id):
        return None
    seconds, _, nanos = line.came_s.partition(".")
    came_ns = int(seconds) * 1_000_000_000 + int(nanos)
    return Trace(sampled[1], line.span_id, came_ns, came_ns + round(took_ms * 1_000_000))
