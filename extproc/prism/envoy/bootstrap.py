"""What Envoy starts with: its listeners, Prism's cluster, and ADS for everything else."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from prism.envoy import names
from prism.envoy.listeners import attempts_listener, gateway_listener
from prism.envoy.sockets import sockets
from prism.envoy.tracing import Tracing, collector_cluster
from prism.exchange import headers

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Settings:
    """What a bootstrap depends on.

    ``socket`` is the first of the unix sockets that Prism serves on (``sockets``),
    ``admin_socket`` the one of Envoy's admin interface. ``max_body`` (bytes) is the largest
    request, larger ones get 413; and the largest plain answer whose token usage is read.
    ``message_timeout_ms`` bounds each exchange with Prism; past it the request takes the route
    of the table's failure mode.
    ``tracing`` of ``None``: no spans.
    """

    host: str
    port: int
    socket: str
    admin_socket: str
    max_body: int = 32 * MEBIBYTE
    message_timeout_ms: int = 2000
    node: str = "prism-gateway"
    tracing: Tracing | None = None


def bootstrap(settings: Settings) -> dict[str, Any]:
    """Envoy's bootstrap as plain values."""
    clusters = [_prism_cluster(settings), _attempts_cluster(settings)]
    if settings.tracing is not None:
        clusters.append(collector_cluster(settings.tracing))
    return {
        "node": {"id": settings.node, "cluster": "prism"},
        "admin": {"address": {"pipe": {"path": settings.admin_socket, "mode": 0o600}}},
        "bootstrap_extensions": [
            {
                "name": "envoy.bootstrap.internal_listener",
                "typed_config": names.typed(
                    "extensions.bootstrap.internal_listener.v3.InternalListener",
                    # The buffer between an attempt and its request, in each direction.
                    buffer_size_kb=1024,
                ),
            }
        ],
        # The pattern of the headers that no client may send is longer than Envoy's default allows.
        "layered_runtime": {
            "layers": [
                {"name": "static", "static_layer": {"re2.max_program_size.error_level": 500}},
                {"name": "admin", "admin_layer": {}},
            ]
        },
        "dynamic_resources": {
            "ads_config": {
                "api_type": "DELTA_GRPC",
                "transport_api_version": "V3",
                "set_node_on_first_message_only": True,
                # No deadline: the stream lives as long as Prism.
                "grpc_services": [_control_plane()],
            },
            "cds_config": names.from_ads(),
        },
        "static_resources": {
            "listeners": [gateway_listener(settings), attempts_listener(settings)],
            "clusters": clusters,
        },
    }


def bootstrap_json(settings: Settings) -> str:
    """The same as the text of a file."""
    return json.dumps(bootstrap(settings), indent=2)


def _control_plane() -> dict[str, Any]:
    service = names.prism_grpc(timeout="0s")
    # An Envoy that starts before Prism, or outlives it, looks for it each second at least. By
    # default the pauses grow to 30 seconds.
    pauses = {"base_interval": "0.1s", "max_interval": "1s"}
    service["envoy_grpc"]["retry_policy"] = {"retry_back_off": pauses}
    return service


def _prism_cluster(settings: Settings) -> dict[str, Any]:
    return {
        "name": names.PRISM_CLUSTER,
        "type": "STATIC",
        "connect_timeout": "0.25s",
        "per_connection_buffer_limit_bytes": settings.max_body + MEBIBYTE,
        "load_assignment": _endpoints(
            names.PRISM_CLUSTER,
            [{"address": {"pipe": {"path": path}}} for path in sockets(settings.socket)],
        ),
        "typed_extension_protocol_options": _http2(),
        "circuit_breakers": _no_limits(),
    }


def _attempts_cluster(settings: Settings) -> dict[str, Any]:
    address = {"envoy_internal_address": {"server_listener_name": names.ATTEMPTS}}
    return {
        "name": names.ATTEMPTS,
        "type": "STATIC",
        "connect_timeout": "1s",
        "per_connection_buffer_limit_bytes": settings.max_body,
        "load_assignment": _endpoints(names.ATTEMPTS, [{"address": address}]),
        "typed_extension_protocol_options": _attempts_options(),
        # What protects a provider is set on its own cluster, not on the way there.
        "circuit_breakers": _no_limits(),
    }


def _attempts_options() -> dict[str, Any]:
    """Sets what the internal listener reads, on the way there and nowhere else."""
    count = names.set_header(headers.ENVOY_ATTEMPT_COUNT, "%UPSTREAM_REQUEST_ATTEMPT_COUNT%")
    decision = names.set_header(headers.DECISION_ID, "%DYNAMIC_METADATA(prism:decision_id)%")
    further = [
        names.set_header(name, f"%DYNAMIC_METADATA(prism:{name})%") for name in headers.further()
    ]
    mutation = names.typed(
        "extensions.filters.http.header_mutation.v3.HeaderMutation",
        mutations={"request_mutations": [{"append": h} for h in (count, decision, *further)]},
    )
    return names.http_options(
        explicit_http_config={"http_protocol_options": {}},
        http_filters=[
            {"name": "envoy.filters.http.header_mutation", "typed_config": mutation},
            names.upstream_codec(),
        ],
    )


def _endpoints(name: str, endpoints: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "cluster_name": name,
        "endpoints": [{"lb_endpoints": [{"endpoint": endpoint} for endpoint in endpoints]}],
    }


def _http2() -> dict[str, Any]:
    # Windows large enough that a 32 MiB body is not sent in 64 KiB turns.
    options = {
        "initial_stream_window_size": 16 * MEBIBYTE,
        "initial_connection_window_size": 64 * MEBIBYTE,
    }
    return names.http_options(explicit_http_config={"http2_protocol_options": options})


def _no_limits() -> dict[str, Any]:
    most = 1_000_000
    return {
        "thresholds": [
            {
                "max_connections": most,
                "max_pending_requests": most,
                "max_requests": most,
                "max_retries": most,
            }
        ]
    }
