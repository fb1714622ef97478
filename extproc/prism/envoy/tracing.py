"""Envoy's part of a trace: a span for each request and one for each attempt, sent over OTLP.

Envoy alone decides which requests are sampled: Prism reads that from the access log, and
what it adds later belongs to the same trace. See
``docs/decisions/0026-traces-are-made-afterwards.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from prism.envoy import names

_SAMPLERS = "extensions.tracers.opentelemetry.samplers.v3"
_PPM = 1_000_000


@dataclass(frozen=True, slots=True)
class Tracing:
    """Where spans go, and which requests get some.

    ``ratio`` (0 to 1) is the share of traces that are sampled; with ``parent_based`` a
    caller's own choice, in its ``traceparent``, goes before that. ``headers`` are sent to
    the collector with every export and may hold its key. ``ca_file`` holds the authorities
    that a collector with TLS is checked against.
    """

    host: str
    port: int
    tls: bool
    headers: tuple[tuple[str, str], ...]
    service: str
    ratio: float
    parent_based: bool
    ca_file: str = ""


def gateway_tracing(tracing: Tracing) -> dict[str, Any]:
    """A span for each client's request, and below it one for each attempt."""
    return {
        "provider": _provider(tracing),
        "random_sampling": {"value": 100},
        "spawn_upstream_span": True,
        # Names have few values: paths are the clients' own.
        "operation": "%REQ(:METHOD)%",
        # No number: a name is made again when the span ends, and the count has gone on by then.
        "upstream_operation": "attempt",
        "custom_tags": [
            _tag("prism.decision.id", f"%DYNAMIC_METADATA({names.METADATA}:decision_id)%"),
            _tag("prism.task", f"%DYNAMIC_METADATA({names.METADATA}:task)%"),
            _tag("prism.mode", f"%DYNAMIC_METADATA({names.METADATA}:mode)%"),
            *_ANSWERED_BY,
        ],
    }


def attempts_tracing(tracing: Tracing) -> dict[str, Any]:
    """A span for what an attempt does behind the internal listener, which is where its model
    is known. Its context is what the provider gets."""
    return {
        "provider": _provider(tracing),
        "random_sampling": {"value": 100},
        "operation": "attempt at %CLUSTER_METADATA(prism:model)%",
        "custom_tags": list(_ANSWERED_BY),
    }


def _tag(name: str, value: str) -> dict[str, Any]:
    return {"tag": name, "value": value}


_ANSWERED_BY = (
    _tag("gen_ai.request.model", f"%CLUSTER_METADATA({names.METADATA}:model)%"),
    _tag("gen_ai.provider.name", f"%CLUSTER_METADATA({names.METADATA}:provider)%"),
)


def _provider(tracing: Tracing) -> dict[str, Any]:
    sampler = names.typed(
        f"{_SAMPLERS}.TraceIdRatioBasedSamplerConfig",
        sampling_percentage={"numerator": round(tracing.ratio * _PPM), "denominator": "MILLION"},
    )
    named = {"name": "ratio", "typed_config": sampler}
    if tracing.parent_based:
        wrapper = names.typed(f"{_SAMPLERS}.ParentBasedSamplerConfig", wrapped_sampler=named)
        named = {"name": "parent", "typed_config": wrapper}
    config = names.typed(
        "config.trace.v3.OpenTelemetryConfig",
        grpc_service={
            "envoy_grpc": {"cluster_name": names.COLLECTOR_CLUSTER},
            "timeout": "1s",
            "initial_metadata": [{"key": k, "value": v} for k, v in tracing.headers],
        },
        service_name=tracing.service,
        sampler=named,
    )
    return {"name": "envoy.tracers.opentelemetry", "typed_config": config}


def collector_cluster(tracing: Tracing) -> dict[str, Any]:
    """The collector that spans are sent to."""
    address = {"socket_address": {"address": tracing.host, "port_value": tracing.port}}
    found: dict[str, Any] = {
        "name": names.COLLECTOR_CLUSTER,
        "type": "STRICT_DNS",
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": names.COLLECTOR_CLUSTER,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
        "typed_extension_protocol_options": names.http_options(
            explicit_http_config={"http2_protocol_options": {}}
        ),
        # Spans that a slow collector does not take are dropped, not kept.
        "circuit_breakers": {"thresholds": [{"max_requests": 64, "max_pending_requests": 64}]},
    }
    if tracing.tls:
        validation = {"trusted_ca": {"filename": tracing.ca_file}}
        context = names.typed(
            "extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            sni=tracing.host,
            common_tls_context={"validation_context": validation},
        )
        found["transport_socket"] = {
            "name": "envoy.transport_sockets.tls",
            "typed_config": context,
        }
    return found
