"""The configuration of the benchmark's own Envoys: the upstream, and the two to compare with."""

from __future__ import annotations

import json
from typing import Any

_TYPES = "type.googleapis.com/envoy."
_MEBIBYTE = 1024 * 1024
_LARGEST_BODY = 32 * _MEBIBYTE
"""What Prism's own Envoy takes."""
UPSTREAM_MARKER = b"\r\nx-upstream: bench"
"""A header of every answer of the upstream, so that nobody else's is counted."""

_ANSWER = {
    "id": "chatcmpl-bench",
    "object": "chat.completion",
    "created": 1_780_000_000,
    "model": "bench",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "Thanks for your patience. I looked into it: the parcel was scanned "
                "yesterday and should arrive within two working days. If it does not, answer "
                "this mail and we will send a new one at no cost.",
            },
            "finish_reason": "stop",
        }
    ],
    "usage": {
        "prompt_tokens": 231,
        "completion_tokens": 42,
        "total_tokens": 273,
        "prompt_tokens_details": {"cached_tokens": 0},
    },
}


def upstream(port: int) -> dict[str, Any]:
    """Answers every request with the same chat completion, once it has the whole body."""
    route = {
        "match": {"prefix": "/"},
        "direct_response": {"status": 200, "body": {"inline_string": json.dumps(_ANSWER)}},
        "response_headers_to_add": [
            _set("content-type", "application/json"),
            _set("x-upstream", "bench"),
        ],
    }
    # Without it Envoy would answer after the headers and close the connection on large bodies.
    whole_body = _filter(
        "buffer", "extensions.filters.http.buffer.v3.Buffer", max_request_bytes=_LARGEST_BODY
    )
    return _bootstrap(port, route, [whole_body], [])


def plain(port: int, upstream_port: int) -> dict[str, Any]:
    """Envoy alone: one route to the upstream."""
    return _bootstrap(port, _to_upstream(), [], [_upstream_cluster(upstream_port)])


def with_ext_proc(port: int, upstream_port: int, socket: str) -> dict[str, Any]:
    """The same with an ext_proc that sees headers and whole body, as Prism does."""
    ext_proc = _filter(
        "ext_proc",
        "extensions.filters.http.ext_proc.v3.ExternalProcessor",
        grpc_service={"envoy_grpc": {"cluster_name": "noop"}, "timeout": "0s"},
        failure_mode_allow=False,
        message_timeout="2s",
        processing_mode={
            "request_header_mode": "SEND",
            "response_header_mode": "SKIP",
            "request_body_mode": "BUFFERED",
            "response_body_mode": "NONE",
            "request_trailer_mode": "SKIP",
            "response_trailer_mode": "SKIP",
        },
    )
    clusters = [_upstream_cluster(upstream_port), _ext_proc_cluster(socket)]
    return _bootstrap(port, _to_upstream(), [ext_proc], clusters)


def _bootstrap(
    port: int,
    route: dict[str, Any],
    filters: list[dict[str, Any]],
    clusters: list[dict[str, Any]],
) -> dict[str, Any]:
    host = {"name": "all", "domains": ["*"], "routes": [route]}
    manager = {
        "@type": _TYPES
        + "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "route_config": {"name": "bench", "virtual_hosts": [host]},
        "http_filters": [*filters, _filter("router", "extensions.filters.http.router.v3.Router")],
    }
    listener = {
        "name": "bench",
        "address": _address(port),
        "per_connection_buffer_limit_bytes": _LARGEST_BODY,
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    return {"static_resources": {"listeners": [listener], "clusters": clusters}}


def _to_upstream() -> dict[str, Any]:
    return {"match": {"prefix": "/"}, "route": {"cluster": "upstream", "timeout": "0s"}}


def _upstream_cluster(port: int) -> dict[str, Any]:
    return _cluster("upstream", _address(port), {"http_protocol_options": {}})


def _ext_proc_cluster(socket: str) -> dict[str, Any]:
    # The windows of Prism's own cluster: a large body is not sent in 64 KiB turns.
    http2 = {
        "initial_stream_window_size": 16 * _MEBIBYTE,
        "initial_connection_window_size": 64 * _MEBIBYTE,
    }
    found = _cluster("noop", {"pipe": {"path": socket}}, {"http2_protocol_options": http2})
    return {**found, "per_connection_buffer_limit_bytes": _LARGEST_BODY + _MEBIBYTE}


def _cluster(name: str, address: dict[str, Any], protocol: dict[str, Any]) -> dict[str, Any]:
    options = {
        "@type": _TYPES + "extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": protocol,
    }
    endpoint = {"endpoint": {"address": address}}
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options
        },
    }


def _filter(name: str, kind: str, **fields: Any) -> dict[str, Any]:
    config = {"@type": _TYPES + kind, **fields}
    return {"name": f"envoy.filters.http.{name}", "typed_config": config}


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _set(name: str, value: str) -> dict[str, Any]:
    return {
        "header": {"key": name, "value": value},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    }
