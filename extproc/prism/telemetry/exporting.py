"""One export of spans to a collector, over OTLP's gRPC.

OpenTelemetry's own exporter takes the SDK's spans, and takes longer to encode one than Prism to
decide a request; the messages themselves are C-backed.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.resources import Resource

from prism import __version__
from prism.telemetry.encoding import add
from prism.telemetry.settings import PORT, Telemetry

_EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


class SpanExporter:
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
        self._export = self._channel.unary_unary(
            _EXPORT,
            request_serializer=ExportTraceServiceRequest.SerializeToString,
            response_deserializer=ExportTraceServiceResponse.FromString,
        )
        self._metadata = settings.headers
        self._timeout_s = settings.timeout_s
        self._resource = resource

    def export(self, spans: Iterable[Span]) -> bool:
        """Whether the collector took them."""
        request = ExportTraceServiceRequest()
        group = request.resource_spans.add()
        for name, value in self._resource.attributes.items():
            add(group.resource.attributes, name, value)
        scope = group.scope_spans.add(scope=InstrumentationScope(name="prism", version=__version__))
        scope.spans.extend(spans)
        try:
            self._export(request, timeout=self._timeout_s, metadata=self._metadata)
        except grpc.RpcError:
            return False
        return True

    def close(self) -> None:
        """End the connection."""
        self._channel.close()
