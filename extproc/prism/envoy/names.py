"""Names that the static and the dynamic half of Envoy's configuration share."""

from __future__ import annotations

from typing import Any, Final

EXT_PROC: Final = "envoy.filters.http.ext_proc"
LUA: Final = "envoy.filters.http.lua"
PRISM_CLUSTER: Final = "prism"
"""Prism itself, on its unix socket."""
ATTEMPTS: Final = "attempts"
"""The internal listener that every attempt of a request goes through, and its cluster."""
GATEWAY_ROUTES: Final = "gateway"
"""The route configuration of the gateway's listener."""
FALLBACK_CLUSTER: Final = "prism/fallback"
"""Where requests go while Prism is away, in failure mode Open."""
FALLBACK_SECRET: Final = "prism/fallback"  # noqa: S105 - the secret's name, not the secret
COLLECTOR_CLUSTER: Final = "prism/collector"
"""Where spans go, where that is configured."""
METADATA: Final = "prism"
"""Metadata namespace of what the route stage labels a request with."""
USAGE: Final = "prism.usage"
"""Metadata namespace of token usage, read from the answer by Envoy."""
STREAM: Final = "prism.stream"
"""Metadata namespace of what a streamed answer says of itself."""
FAILED: Final = "failed"
"""Key in ``STREAM``: there where an event of the stream was an error."""
CUSTOM_RESPONSE: Final = "envoy.filters.http.custom_response"
GATEWAY_LOG: Final = "gateway"
"""Name of the access log of clients' requests."""
ATTEMPTS_LOG: Final = "attempts"
"""Name of the log of attempts that failed."""
CLUSTER_TAG: Final = "cluster"
"""Its tag that names the cluster of an attempt."""
STAGE: Final = "x-prism-stage"
"""gRPC metadata that tells Prism which stage a stream is for."""
ROUTE_STAGE: Final = "route"
"""The route stage in two messages: headers, then the body."""
ROUTE_AT_ONCE: Final = "route-at-once"
"""The route stage in one message, for small requests
(``docs/decisions/0008-small-requests-in-one-message.md``)."""
APPLY: Final = "prism.apply"
"""The filter that applies what the route stage says to a request that came in one message."""
HEADERS: Final = "headers"
"""Where in ``METADATA`` it says so, as lines: a header's name, then its value, empty to remove."""
ATTEMPT_STAGE: Final = "attempt"

_TYPES: Final = "type.googleapis.com/envoy."


def from_ads() -> dict[str, Any]:
    """A config source: Prism. Envoy waits for it as long as it takes; by default it would go
    on after 15 seconds and answer 404 to everything."""
    return {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "0s"}


def typed(name: str, **fields: Any) -> dict[str, Any]:
    """A typed config; ``name`` is the message's full name without ``envoy.``."""
    return {"@type": _TYPES + name, **fields}


def http_options(**fields: Any) -> dict[str, Any]:
    """A cluster's HTTP protocol options."""
    name = "extensions.upstreams.http.v3.HttpProtocolOptions"
    return {f"envoy.{name}": typed(name, **fields)}


def upstream_codec() -> dict[str, Any]:
    """The last of a cluster's own filters."""
    return {
        "name": "envoy.filters.http.upstream_codec",
        "typed_config": typed("extensions.filters.http.upstream_codec.v3.UpstreamCodec"),
    }


def set_header(name: str, value: str) -> dict[str, Any]:
    """A header that replaces any of its name; none where ``value`` comes out empty."""
    return {
        "header": {"key": name, "value": value},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    }


def prism_grpc(stage: str | None = None, timeout: str = "1s") -> dict[str, Any]:
    """The gRPC service that Prism is, as every one of Envoy's filters calls it."""
    service: dict[str, Any] = {
        "envoy_grpc": {"cluster_name": PRISM_CLUSTER},
        "timeout": timeout,
    }
    if stage is not None:
        service["initial_metadata"] = [{"key": STAGE, "value": stage}]
    return service
