"""A small OTLP collector: a real gRPC server that keeps what it is sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics_service
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as metrics_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as trace_service
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as trace_grpc
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue


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


@dataclass
class Collector:
    """What was received. ``headers`` are those of each export, in order."""

    url: str = ""
    spans: list[Span] = field(default_factory=list)
    metrics: dict[str, Any] = field(default_factory=dict)
    """The newest message of each metric, by name."""
    headers: list[dict[str, str]] = field(default_factory=list)

    def trace(self, trace_id: str) -> list[Span]:
        """The spans of a trace, in the order of their beginnings."""
        return sorted((s for s in self.spans if s.trace == trace_id), key=lambda s: s.begin)

    def named(self, trace_id: str, name: str) -> list[Span]:
        """The spans of a trace whose name begins so."""
        return [span for span in self.trace(trace_id) if span.name.startswith(name)]


class _Traces(trace_grpc.TraceServiceServicer):
    def __init__(self, kept: Collector) -> None:
        self._kept = kept

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        self._kept.headers.append(dict(context.invocation_metadata()))
        for resource in request.resource_spans:
            about = _attributes(resource.resource.attributes)
            for scope in resource.scope_spans:
                self._kept.spans += [_span(span, about) for span in scope.spans]
        return trace_service.ExportTraceServiceResponse()


class _Metrics(metrics_grpc.MetricsServiceServicer):
    def __init__(self, kept: Collector) -> None:
        self._kept = kept

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        for resource in request.resource_metrics:
            for scope in resource.scope_metrics:
                self._kept.metrics |= {metric.name: metric for metric in scope.metrics}
        return metrics_service.ExportMetricsServiceResponse()


@contextmanager
def collecting(address: str = "127.0.0.1:0") -> Iterator[Collector]:
    """A collector at ``address``, its port free by default."""
    kept = Collector()
    server = grpc.server(ThreadPoolExecutor(4))
    trace_grpc.add_TraceServiceServicer_to_server(_Traces(kept), server)
    metrics_grpc.add_MetricsServiceServicer_to_server(_Metrics(kept), server)
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


def _attributes(pairs: Iterator[KeyValue]) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    return None if kind is None else getattr(value, kind)
