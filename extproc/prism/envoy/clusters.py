"""The clusters that Envoy gets over ADS: one per target, one for the fallback, and its key.

Each builder returns plain dictionaries in Envoy's JSON; ``prism.wire.xds`` turns them into
messages, which checks every field.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from prism.envoy import names
from prism.envoy.filters import fallback_lua
from prism.exchange import headers
from prism.exchange.targets import Target


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
        "typed_extension_protocol_options": _http_options(target, [_own_headers()]),
        # Shown in Envoy's metrics, no more: see docs/decisions/0016.
        "outlier_detection": {"consecutive_5xx": 5, "max_ejection_percent": 100},
        # With its only host ejected a cluster would answer 503 itself, and a first attempt
        # that fails so is not tried elsewhere. In panic it goes on.
        "common_lb_config": {"healthy_panic_threshold": {"value": 50}},
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
    filters = [fallback_lua(), _fallback_headers(target), _own_headers()]
    if target.keys:
        filters.append(_injector())
    found["typed_extension_protocol_options"] = _http_options(target, filters)
    return found


def fallback_secret(target: Target) -> dict[str, Any]:
    """The fallback's key, as SDS delivers it (and Envoy's admin interface hides it)."""
    secret = {"inline_string": target.keys[0].value}
    return {"name": names.FALLBACK_SECRET, "generic_secret": {"secret": secret}}


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


def has_address(base_url: str) -> bool:
    """Whether a base URL names its host by address, so that nothing need be resolved."""
    return _is_address(urlsplit(base_url).hostname or "")


def _is_address(host: str) -> bool:
    """Whether a host is an IP address rather than a name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _http_options(target: Target, filters: list[dict[str, Any]]) -> dict[str, Any]:
    """HTTP/2 where TLS lets both sides agree on it, else HTTP/1.1; ``filters`` run last."""
    http1: dict[str, Any] = {"http_protocol_options": {}}
    if urlsplit(target.base_url).scheme == "https":
        options: dict[str, Any] = {"auto_config": {**http1, "http2_protocol_options": {}}}
    else:
        options = {"explicit_http_config": http1}
    return names.http_options(**options, http_filters=[*filters, names.upstream_codec()])


def _own_headers() -> dict[str, Any]:
    """Takes off an answer's headers what only Envoy and Prism may say. Upstream, where no router
    has seen it yet: ``x-envoy-ratelimited`` would end the attempts."""
    removed = [
        {"remove_on_match": {"key_matcher": {"prefix": prefix}}}
        for prefix in ("x-envoy-", headers.PREFIX)
    ]
    config = names.typed(
        "extensions.filters.http.header_mutation.v3.HeaderMutation",
        mutations={"response_mutations": removed},
    )
    return {"name": "prism.own_headers", "typed_config": config}


def _fallback_headers(target: Target) -> dict[str, Any]:
    """The answer's headers, set upstream: the route's own would also get onto an answer by
    Prism itself to a request that is still on its first route."""
    answer = [
        {"append": names.set_header(headers.MODEL, target.model)},
        {"append": names.set_header(headers.PROVIDER, target.provider)},
    ]
    config = names.typed(
        "extensions.filters.http.header_mutation.v3.HeaderMutation",
        mutations={"response_mutations": answer},
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
