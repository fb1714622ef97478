"""A connection to a collector, over OTLP's gRPC: one export of spans, metrics or logs at a time.

OpenTelemetry's own exporter takes the SDK's spans, and takes longer to encode one than Prism to
decide a request; and its messages can't be installed beside Envoy's (decision 26).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc
from opentelemetry.sdk.resources import Resource

from prism import __version__
from prism.otlp.v1.otlp_pb2 import (
    ExportLogsServiceRequest,
    ExportMetricsServiceRequest,
    ExportTraceServiceRequest,
    InstrumentationScope,
    LogRecord,
    Metric,
    Span,
)
from prism.otlp.v1.otlp_pb2 import Resource as Origin
from prism.telemetry.encoding import add
from prism.telemetry.settings import PORT, Telemetry

_TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_METRICS = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
_LOGS = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
_SCOPE = InstrumentationScope(name="prism", version=__version__)


class Exporter:
    """A connection to the collector; to be made and used off the event loop."""

    def __init__(self, settings: Telemetry, resource: Resource) -> None:
        url = urlsplit(settings.endpoint or "")
        address = f"{url.netloc if url.port else f'{url.netloc}:{PORT}'}"
        if url.scheme == "https":
            file = settings.certificate
            roots = None if file is None else Path(file).read_bytes()
            credentials = grpc.ssl_channel_credentials(roots)
            self._channel = grpc.secure_channel(address, credentials)
        else:
            self._channel = grpc.insecure_channel(address)
        self._metadata = settings.headers
        self._timeout_s = settings.timeout_s
        self._origin = Origin()
        for name, value in resource.attributes.items():
            add(self._origin.attributes, name, value)

    def spans(self, spans: Iterable[Span]) -> bool:
        """Whether the collector took them."""
        request = ExportTraceServiceRequest()
        group = request.resource_spans.add(resource=self._origin)
        group.scope_spans.add(scope=_SCOPE).spans.extend(spans)
        return self._export(_TRACES, request)

    def metrics(self, metrics: Sequence[Metric]) -> bool:
        """Whether the collector took them."""
        request = ExportMetricsServiceRequest()
        group = request.resource_metrics.add(resource=self._origin)
        group.scope_metrics.add(scope=_SCOPE).metrics.extend(metrics)
        return self._export(_METRICS, request)

    def events(self, events: Iterable[LogRecord]) -> bool:
        """Whether the collector took them."""
        request = ExportLogsServiceRequest()
        group = request.resource_logs.add(resource=self._origin)
        group.scope_logs.add(scope=_SCOPE).log_records.extend(events)
        return self._export(_LOGS, request)

    def close(self) -> None:
        """End the connection."""
        self._channel.close()

    def _export(self, method: str, request: Any) -> bool:
        # What the collector answers beyond "taken" is of no use here.
        call = self._channel.unary_unary(
            method, request_serializer=type(request).SerializeToString, response_deserializer=bytes
        )
        try:
            call(request, timeout=self._timeout_s, metadata=self._metadata)
        except grpc.RpcError:
            return False
        return True
