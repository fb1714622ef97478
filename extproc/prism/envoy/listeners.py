"""The two listeners: the gateway's, and the internal one that each attempt goes through.

The internal listener is what makes an attempt a request of its own, with filters of its
own, while the gateway's router counts, retries and races them. Attempt N takes the cluster
that the header ``x-prism-cluster-N`` names, so the order is each request's own; only
attempts after the first are sent through the attempt stage. See
``docs/decisions/0001-attempts-through-an-internal-listener.md``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prism.envoy import names
from prism.envoy.filters import (
    attempt_timeout,
    early_header_mutation,
    ext_proc,
    refused_credentials,
    route_at_once,
    router,
)
from prism.envoy.logs import access_log, attempts_log, unreachable
from prism.envoy.replies import local_replies
from prism.envoy.routes import ANSWERED_BY, UNFORWARDED
from prism.envoy.tracing import attempts_tracing, gateway_tracing
from prism.envoy.usage import usage_filters
from prism.exchange import headers

if TYPE_CHECKING:
    from prism.envoy.bootstrap import Settings

_HCM = "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
STREAM_IDLE = "300s"
"""How long a stream may be silent: reasoning models think for minutes before they speak."""

LARGEST_TRANSLATED = 60 * 1024 * 1024
"""Bytes of a whole answer that has to be translated: what fits into one message to Prism. A larger
one becomes a 500, and the next model is tried."""


def gateway_listener(settings: Settings) -> dict[str, Any]:
    """Where clients come in."""
    manager = names.typed(
        _HCM,
        stat_prefix="gateway",
        codec_type="AUTO",
        use_remote_address=True,
        # A provider has no business with the addresses of clients.
        skip_xff_append=True,
        normalize_path=True,
        merge_slashes=False,
        path_with_escaped_slashes_action="KEEP_UNCHANGED",
        server_header_transformation="PASS_THROUGH",
        stream_idle_timeout=STREAM_IDLE,
        # Else a 400, whoever answers with it, would close the client's connection.
        stream_error_on_invalid_http_message=True,
        request_headers_timeout="30s",
        early_header_mutation_extensions=[early_header_mutation()],
        rds={
            "route_config_name": names.GATEWAY_ROUTES,
            "config_source": names.from_ads(),
        },
        http_filters=[
            ext_proc(settings, names.ROUTE_STAGE, fail_open=True),
            *route_at_once(settings),
            *usage_filters(settings),
            refused_credentials(),
            router(),
        ],
        local_reply_config=local_replies(),
        access_log=[access_log(traced=settings.tracing is not None)],
        **({} if settings.tracing is None else {"tracing": gateway_tracing(settings.tracing)}),
    )
    address = {"socket_address": {"address": settings.host, "port_value": settings.port}}
    return {
        "name": "gateway",
        "address": address,
        "per_connection_buffer_limit_bytes": settings.max_body,
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }


def attempts_listener(settings: Settings) -> dict[str, Any]:
    """Where each attempt passes on its way to a provider."""
    manager = names.typed(
        _HCM,
        stat_prefix=names.ATTEMPTS,
        # On a hop in memory, HTTP/2's frames and windows cost more than its streams save.
        codec_type="HTTP1",
        use_remote_address=False,
        skip_xff_append=True,
        generate_request_id=False,
        server_header_transformation="PASS_THROUGH",
        stream_idle_timeout=STREAM_IDLE,
        route_config=_attempt_routes(),
        http_filters=[
            attempt_timeout(),
            ext_proc(settings, names.ATTEMPT_STAGE, fail_open=False),
            router(),
        ],
        local_reply_config=local_replies(),
        access_log=[attempts_log(unreachable())],
        **({} if settings.tracing is None else {"tracing": attempts_tracing(settings.tracing)}),
    )
    return {
        "name": names.ATTEMPTS,
        # What comes by here goes out: its spans are a client's.
        "traffic_direction": "OUTBOUND",
        "internal_listener": {},
        "per_connection_buffer_limit_bytes": settings.max_body,
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }


def _attempt_routes() -> dict[str, Any]:
    return {
        "name": names.ATTEMPTS,
        "virtual_hosts": [
            {
                "name": names.ATTEMPTS,
                "domains": ["*"],
                "request_headers_to_remove": list(UNFORWARDED),
                "response_headers_to_add": list(ANSWERED_BY),
                "routes": [
                    _translated_first(),
                    *(_attempt_route(n) for n in range(1, headers.MAX_ATTEMPTS + 1)),
                ],
            }
        ],
    }


def _translated_first() -> dict[str, Any]:
    """Attempt 1, where the attempt stage has to translate it."""
    route = _route_of_attempt(1)
    translated = {"name": headers.TRANSLATED, "present_match": True}
    route["match"]["headers"].append(translated)
    return route


def _attempt_route(number: int) -> dict[str, Any]:
    route = _route_of_attempt(number)
    if number == 1:
        # The route stage has written attempt 1 in full.
        route["typed_per_filter_config"] = {
            names.EXT_PROC: names.typed(
                "extensions.filters.http.ext_proc.v3.ExtProcPerRoute", disabled=True
            )
        }
    return route


def _route_of_attempt(number: int) -> dict[str, Any]:
    count = {"name": headers.ENVOY_ATTEMPT_COUNT, "string_match": {"exact": str(number)}}
    return {
        "match": {"prefix": "/", "headers": [count]},
        "route": {
            "cluster_header": headers.cluster_header(number),
            "auto_host_rewrite": True,
            # The gateway's router times attempts; a stream may last as long as it speaks.
            "timeout": "0s",
        },
        # Of answers, too: a whole one is held until it is translated.
        "request_body_buffer_limit": LARGEST_TRANSLATED,
    }
