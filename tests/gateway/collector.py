"""A small OTLP collector: a real gRPC server that keeps what it is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc

from prism.otlp.v1.otlp_pb2 import (
    AnyValue,
    ExportLogsServiceRequest,
    ExportMetricsServiceRequest,
    ExportTraceServiceRequest,
    KeyValue,
)

Export = Callable[[Any, Any], bytes]
_TAKEN = b""
"""The empty message: all was taken."""


@dataclass(frozen=True)
class Span:
    """One span as it came over the wire; ids in hex, times in nanoseconds since the epoch."""

    name: str
    trace: str
    id: str
    parent: str
    kind: int
    begin: int
    end: int
    attributes: Mapping[str, Any]
    events: list[tuple[str, Mapping[str, Any]]]
    error: bool
    resource: Mapping[str, Any]


@dataclass(frozen=True)
class Event:
    """One log event as it came over the wire; ids in hex and empty where it has none."""

    name: str
    time: int
    severity: str
    body: str
    trace: str
    span: str
    attributes: Mapping[str, Any]
    resource: Mapping[str, Any]


@dataclass
class Collector:
    """What was received. ``headers`` are those of each export, in order."""

    url: str = ""
    spans: list[Span] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    metrics: dict[str, Any] = field(default_factory=dict)
    """The newest message of each metric, by name."""
    headers: list[dict[str, str]] = field(default_factory=list)

    def trace(self, trace_id: str) -> list[Span]:
        """The spans of a trace, in the order of their beginnings."""
        return sorted((s for s in self.spans if s.trace == trace_id), key=lambda s: s.begin)

    def named(self, trace_id: str, name: str) -> list[Span]:
        """The spans of a trace whose name begins so."""
        return [span for span in self.trace(trace_id) if span.name.startswith(name)]


def _traces(kept: Collector) -> Export:
    def export(request: ExportTraceServiceRequest, context: Any) -> bytes:
        kept.headers.append(dict(context.invocation_metadata()))
        for resource in request.resource_spans:
            about = _attributes(resource.resource.attributes)
            for scope in resource.scope_spans:
                kept.spans += [_span(span, about) for span in scope.spans]
        return _TAKEN

    return export


def _logs(kept: Collector) -> Export:
    def export(request: ExportLogsServiceRequest, _: Any) -> bytes:
        for resource in request.resource_logs:
            about = _attributes(resource.resource.attributes)
            for scope in resource.scope_logs:
                kept.events += [_event(record, about) for record in scope.log_records]
        return _TAKEN

    return export


def _metrics(kept: Collector) -> Export:
    def export(request: ExportMetricsServiceRequest, _: Any) -> bytes:
        for resource in request.resource_metrics:
            for scope in resource.scope_metrics:
                kept.metrics |= {metric.name: metric for metric in scope.metrics}
        return _TAKEN

    return export


def _service(name: str, export: Export, request: Any) -> Any:
    handler = grpc.unary_unary_rpc_method_handler(export, request_deserializer=request.FromString)
    return grpc.method_handlers_generic_handler(
        f"opentelemetry.proto.collector.{name}", {"Export": handler}
    )


@contextmanager
def collecting(address: str = "127.0.0.1:0") -> Iterator[Collector]:
    """A collector at ``address``, its port free by default."""
    kept = Collector()
    server = grpc.server(ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers(
        [
            _service("trace.v1.TraceService", _traces(kept), ExportTraceServiceRequest),
            _service("metrics.v1.MetricsService", _metrics(kept), ExportMetricsServiceRequest),
            _service("logs.v1.LogsService", _logs(kept), ExportLogsServiceRequest),
        ]
    )
    port = server.add_insecure_port(address)
    kept.url = f"http://127.0.0.1:{port}"
    server.start()
    try:
        yield kept
    finally:
        server.stop(0).wait()


def _span(span: Any, resource: Mapping[str, Any]) -> Span:
    return Span(
        name=span.name,
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        kind=span.kind,
        begin=span.start_time_unix_nano,
        end=span.end_time_unix_nano,
        attributes=_attributes(span.attributes),
        events=[(event.name, _attributes(event.attributes)) for event in span.events],
        error=span.status.code == 2,
        resource=resource,
    )


def _event(record: Any, resource: Mapping[str, Any]) -> Event:
    return Event(
        name=record.event_name,
        time=record.time_unix_nano,
        severity=record.severity_text,
        body=record.body.string_value,
        trace=record.trace_id.hex(),
        span=record.span_id.hex(),
        attributes=_attributes(record.attributes),
        resource=resource,
    )


def _attributes(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    return None if kind is None else getattr(value, kind)
