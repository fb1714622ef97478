"""An OTLP collector that takes everything and keeps nothing: ``collector.py PORT``."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

_SERVICES = ("trace.v1.TraceService", "metrics.v1.MetricsService")


def main() -> None:
    """Serve until killed."""
    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers(
        [_handler(f"opentelemetry.proto.collector.{s}") for s in _SERVICES]
    )
    server.add_insecure_port(f"127.0.0.1:{sys.argv[1]}")
    server.start()
    server.wait_for_termination()


def _handler(service: str) -> Any:
    # An empty message is the answer to both: all was taken.
    export = grpc.unary_unary_rpc_method_handler(lambda request, context: b"")
    return grpc.method_handlers_generic_handler(service, {"Export": export})


if __name__ == "__main__":
    main()
