"""What Envoy gets over ADS: a cluster per target, the gateway's routes, one secret.

Each builder returns plain dictionaries in Envoy's JSON; ``prism.wire.xds`` turns them into
messages, which checks every field.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from prism.envoy import names
from prism.envoy.filters import fallback_lua
from prism.exchange import headers
from prism.exchange.errors import error_body
from prism.exchange.targets import Target

RETRIABLE_STATUS = (408, 429)
"""Besides every 5xx (529, overloaded, among them): another provider may do better."""


@dataclass(frozen=True, slots=True)
class Fallback:
    """What happens while Prism is away. ``target`` of ``None``: requests get 503."""

    target: Target | None
    reason: str


def cluster(target: Target, ca_file: str) -> dict[str, Any]:
    """The cluster of a target; its metadata names model and provider for the answer's headers."""
    found: dict[str, Any] = {
        "name": target.cluster,
        "metadata": {
            "filter_metadata": {
                names.METADATA: {"model": target.model, "provider": target.provider}
            }
        },
        "connect_timeout": "3s",
        **_address(target.cluster, target.base_url),
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": _http_options(target, [])
        },
        "circuit_breakers": {
            # Many long streams are the normal case: nothing is refused here by default.
            "thresholds": [
                {
                    "max_connections": 10_000,
                    "max_pending_requests": 10_000,
                    "max_requests": 10_000,
                    "max_retries": 10_000,
                }
            ]
        },
    }
    if urlsplit(target.base_url).scheme == "https":
        found["transport_socket"] = _tls(target.base_url, ca_file)
    return found


def fallback_cluster(target: Target, ca_file: str) -> dict[str, Any]:
    """The same for requests that no stage has seen: Envoy itself puts the key in."""
    found = cluster(target, ca_file)
    found["name"] = names.FALLBACK_CLUSTER
    found["load_assignment"]["cluster_name"] = names.FALLBACK_CLUSTER
    filters = [fallback_lua(), _fallback_headers(target)]
    if target.keys:
        filters.append(_injector())
    found["typed_extension_protocol_options"] = {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": _http_options(target, filters)
    }
    return found


def routes(fallback: Fallback) -> dict[str, Any]:
    """The gateway's routes: what Prism decided, else what the failure mode says."""
    return {
        "name": names.GATEWAY_ROUTES,
        "virtual_hosts": [
            {
                "name": "gateway",
                "domains": ["*"],
                "include_request_attempt_count": True,
                "routes": [_decided(), *_undecided(fallback)],
            }
        ],
    }


def fallback_secret(target: Target) -> dict[str, Any]:
    """The fallback's key, as SDS delivers it (and Envoy's admin interface hides it)."""
    secret = {"inline_string": target.keys[0][1]}
    return {"name": names.FALLBACK_SECRET, "generic_secret": {"secret": secret}}


def _decided() -> dict[str, Any]:
    return {
        "name": "decided",
        "match": {
            "prefix": "/",
            "headers": [{"name": headers.DECISION_ID, "present_match": True}],
        },
        "route": {
            "cluster": names.ATTEMPTS,
            "timeout": "0s",
            "retry_policy": {
                "retry_on": "5xx,reset,connect-failure,refused-stream,retriable-status-codes",
                "retriable_status_codes": list(RETRIABLE_STATUS),
                "num_retries": 0,
                # The next attempt goes to another provider: there is nothing to wait for.
                "retry_back_off": {"base_interval": "0.001s", "max_interval": "0.002s"},
            },
        },
        "response_headers_to_add": [
            _set(headers.DECISION_ID, "%DYNAMIC_METADATA(prism:decision_id)%"),
            _set(headers.TASK_TYPE, "%DYNAMIC_METADATA(prism:task)%"),
            _set(headers.ANSWER_MODE, "%DYNAMIC_METADATA(prism:mode)%"),
            _set(headers.ATTEMPTS, "%UPSTREAM_REQUEST_ATTEMPT_COUNT%"),
        ],
    }


def _undecided(fallback: Fallback) -> list[dict[str, Any]]:
    away = {
        "name": "away",
        "match": {"prefix": "/"},
        "direct_response": {
            "status": 503,
            "body": {
                "inline_string": error_body(
                    503,
                    "router_unavailable",
                    "The router can't be reached just now; try again in a moment.",
                ).decode()
            },
        },
        "response_headers_to_add": [
            _set("content-type", "application/json"),
            _set("retry-after", "1"),
        ],
    }
    target = fallback.target
    if target is None:
        return [away]
    post = {"name": ":method", "string_match": {"exact": "POST"}}
    open_route = {
        "name": "fallback",
        "match": {"path": "/v1/chat/completions", "headers": [post]},
        "metadata": {
            "filter_metadata": {
                "envoy.filters.http.lua": {"model_json": target.model_json.decode()}
            }
        },
        "route": {
            "cluster": names.FALLBACK_CLUSTER,
            "prefix_rewrite": target.base_path + "/chat/completions",
            "auto_host_rewrite": True,
            "timeout": "0s",
        },
        "request_headers_to_remove": [
            *dict.fromkeys((*headers.REQUEST, *headers.INTERNAL)),
            "authorization",
            "api-key",
            "x-api-key",
            "x-forwarded-proto",
            "x-forwarded-for",
            "x-envoy-external-address",
            "x-envoy-internal",
            "accept-encoding",
        ],
    }
    return [open_route, away]


def _set(name: str, value: str) -> dict[str, Any]:
    return {
        "header": {"key": name, "value": value},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    }


def _address(name: str, base_url: str) -> dict[str, Any]:
    url = urlsplit(base_url)
    host = url.hostname or ""
    literal = _is_address(host)
    shown = f"[{host}]" if ":" in host else host
    port = url.port or (443 if url.scheme == "https" else 80)
    endpoint = {
        "address": {"socket_address": {"address": host, "port_value": port}},
        # What auto_host_rewrite puts into the host header.
        "hostname": shown if url.port is None else f"{shown}:{port}",
    }
    return {
        "type": "STATIC" if literal else "LOGICAL_DNS",
        **({} if literal else {"dns_lookup_family": "ALL"}),
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": endpoint}]}],
        },
    }


def _is_address(host: str) -> bool:
    """Whether a host is an IP address rather than a name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _http_options(target: Target, filters: list[dict[str, Any]]) -> dict[str, Any]:
    """HTTP/2 where TLS lets both sides agree on it, else HTTP/1.1; ``filters`` run last."""
    codec = {
        "name": "envoy.filters.http.upstream_codec",
        "typed_config": names.typed("extensions.filters.http.upstream_codec.v3.UpstreamCodec"),
    }
    http1: dict[str, Any] = {"http_protocol_options": {}}
    if urlsplit(target.base_url).scheme == "https":
        protocol = {"auto_config": {**http1, "http2_protocol_options": {}}}
    else:
        protocol = {"explicit_http_config": http1}
    options = names.typed("extensions.upstreams.http.v3.HttpProtocolOptions", **protocol)
    if filters:
        options["http_filters"] = [*filters, codec]
    return options


def _fallback_headers(target: Target) -> dict[str, Any]:
    """Headers at the very end of the way to the provider.

    The router adds the attempt count after the route's own removals. And the answer's headers
    are not the route's: an answer by Prism itself, to a request that is still on its first
    route, would get them too.
    """
    answer = [
        {"append": _set(headers.MODEL, target.model)},
        {"append": _set(headers.PROVIDER, target.provider)},
    ]
    config = names.typed(
        "extensions.filters.http.header_mutation.v3.HeaderMutation",
        mutations={
            "request_mutations": [{"remove": headers.ENVOY_ATTEMPT_COUNT}],
            "response_mutations": answer,
        },
    )
    return {"name": "envoy.filters.http.header_mutation", "typed_config": config}


def _injector() -> dict[str, Any]:
    source = {
        "name": names.FALLBACK_SECRET,
        "sds_config": names.from_ads(),
    }
    credential = names.typed(
        "extensions.http.injected_credentials.generic.v3.Generic",
        credential=source,
        header="authorization",
    )
    config = names.typed(
        "extensions.filters.http.credential_injector.v3.CredentialInjector",
        overwrite=True,
        credential={
            "name": "envoy.http.injected_credentials.generic",
            "typed_config": credential,
        },
    )
    return {"name": "envoy.filters.http.credential_injector", "typed_config": config}


def _tls(base_url: str, ca_file: str) -> dict[str, Any]:
    host = urlsplit(base_url).hostname or ""
    literal = _is_address(host)
    san = {"san_type": "IP_ADDRESS" if literal else "DNS", "matcher": {"exact": host}}
    context = names.typed(
        "extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        # Server names are names (RFC 6066, section 3): an address is not sent as one.
        **({} if literal else {"sni": host}),
        common_tls_context={
            "validation_context": {
                "trusted_ca": {"filename": ca_file},
                "match_typed_subject_alt_names": [san],
            }
        },
    )
    return {"name": "envoy.transport_sockets.tls", "typed_config": context}
