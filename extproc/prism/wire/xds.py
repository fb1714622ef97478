"""Envoy's dynamic configuration as the bytes and messages of delta xDS."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import Any

# Imported so that their types are known where they stand inside an Any.
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.filters.http.credential_injector.v3 import (  # noqa: F401
    credential_injector_pb2,
)
from envoy.extensions.filters.http.header_mutation.v3 import header_mutation_pb2  # noqa: F401
from envoy.extensions.filters.http.lua.v3 import lua_pb2  # noqa: F401
from envoy.extensions.filters.http.upstream_codec.v3 import upstream_codec_pb2  # noqa: F401
from envoy.extensions.http.injected_credentials.generic.v3 import generic_pb2  # noqa: F401
from envoy.extensions.router.cluster_specifiers.matcher.v3.matcher_pb2 import (
    MatcherClusterSpecifier,
)
from envoy.extensions.transport_sockets.tls.v3 import secret_pb2, tls_pb2  # noqa: F401
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2  # noqa: F401
from envoy.service.discovery.v3.discovery_pb2 import (
    DeltaDiscoveryRequest,
    DeltaDiscoveryResponse,
    Resource,
)
from envoy.type.matcher.v3 import http_inputs_pb2  # noqa: F401
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.json_format import ParseDict

SERVICE = "envoy.service.discovery.v3.AggregatedDiscoveryService"
METHOD = "DeltaAggregatedResources"

_TYPES = "type.googleapis.com/"
CLUSTER = _TYPES + "envoy.config.cluster.v3.Cluster"
ROUTES = _TYPES + "envoy.config.route.v3.RouteConfiguration"
SECRET = _TYPES + "envoy.extensions.transport_sockets.tls.v3.Secret"
_CLASSES: dict[str, Any] = {
    CLUSTER: cluster_pb2.Cluster,
    SECRET: secret_pb2.Secret,
}

_IN_ROUTES = (
    *("filters.http.ext_proc", "filters.http.lua", "filters.http.custom_response"),
    *("http.custom_response.local_response_policy", "router.cluster_specifiers.matcher"),
)

_SPECIFIER = "inline_cluster_specifier_plugin"

decode = DeltaDiscoveryRequest.FromString
"""bytes → DeltaDiscoveryRequest."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """One resource, ready to be sent. ``version`` is a digest of ``body``."""

    type_url: str
    name: str
    version: str
    body: bytes


def encode(type_url: str, resource: dict[str, Any]) -> Encoded:
    """Encode a resource given as Envoy's JSON; an unknown field raises ``ParseError``."""
    message = ParseDict(resource, _CLASSES[type_url]())
    body = message.SerializeToString(deterministic=True)
    return Encoded(type_url, message.name, hashlib.sha256(body).hexdigest()[:12], body)


def encode_routes(resource: dict[str, Any]) -> Encoded:
    """Encode a route configuration given as Envoy's JSON.

    What grows with the number of clusters, the choice among them, is encoded by xds-protos. The
    rest stays the same for long and is encoded once by envoy-data-plane, which is slow but has
    all of Envoy's fields: xds-protos lacks the choice of another cluster for a retry, but keeps
    what it does not know.
    """
    specifiers: list[dict[str, Any]] = []
    rest = _without_specifiers(resource, specifiers)
    message = RouteConfiguration.FromString(_encoded_once(json.dumps(rest, sort_keys=True)))
    given = iter(specifiers)
    for host in message.virtual_hosts:
        for route in host.routes:
            if route.route.HasField(_SPECIFIER):
                chosen = ParseDict(next(given), MatcherClusterSpecifier())
                extension = route.route.inline_cluster_specifier_plugin.extension
                extension.typed_config.Pack(chosen, deterministic=True)
    body = message.SerializeToString(deterministic=True)
    return Encoded(ROUTES, message.name, hashlib.sha256(body).hexdigest()[:12], body)


def _without_specifiers(resource: dict[str, Any], taken: list[dict[str, Any]]) -> dict[str, Any]:
    """A route configuration whose cluster specifiers are empty; ``taken`` gets what was in them,
    in the order of their routes."""

    def emptied(route: dict[str, Any]) -> dict[str, Any]:
        action = route.get("route", {})
        if _SPECIFIER not in action:
            return route
        extension = action[_SPECIFIER]["extension"]
        config = dict(extension["typed_config"])
        kind = config.pop("@type")
        taken.append(config)
        empty = {"extension": {**extension, "typed_config": {"@type": kind}}}
        return {**route, "route": {**action, _SPECIFIER: empty}}

    hosts = [
        {**host, "routes": [emptied(route) for route in host["routes"]]}
        for host in resource.get("virtual_hosts", ())
    ]
    return {**resource, "virtual_hosts": hosts}


@lru_cache(maxsize=16)
def _encoded_once(resource_json: str) -> bytes:
    # Late, since they take most of a second to load.
    from envoy_data_plane.envoy.config.route.v3 import RouteConfiguration as Complete

    for package in _IN_ROUTES:
        import_module(f"envoy_data_plane.envoy.extensions.{package}.v3")
    return bytes(Complete.from_dict(json.loads(resource_json)))


def update(type_url: str, nonce: str, changed: Iterable[Encoded], removed: Iterable[str]) -> bytes:
    """A delta response."""
    resources = [
        Resource(
            name=item.name,
            version=item.version,
            resource=AnyMessage(type_url=type_url, value=item.body),
        )
        for item in changed
    ]
    response = DeltaDiscoveryResponse(
        type_url=type_url, nonce=nonce, resources=resources, removed_resources=list(removed)
    )
    encoded: bytes = response.SerializeToString()
    return encoded
