"""The gateway's routes, which Envoy gets over ADS."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from prism.envoy import names
from prism.exchange import headers
from prism.exchange.endpoints import MESSAGES
from prism.exchange.errors import anthropic_error_body, error_body
from prism.exchange.targets import RETRIABLE_STATUS, Target

UNFORWARDED = (
    *dict.fromkeys((*headers.REQUEST, *headers.INTERNAL)),
    headers.ENVOY_ATTEMPT_COUNT,
    *("x-forwarded-proto", "x-forwarded-for", "x-envoy-external-address", "x-envoy-internal"),
    # A compressed answer would hide the token usage from Envoy.
    "accept-encoding",
)
"""Request headers that end here: no provider gets them."""
ANSWERED_BY = (
    names.set_header(headers.MODEL, "%CLUSTER_METADATA(prism:model)%"),
    names.set_header(headers.PROVIDER, "%CLUSTER_METADATA(prism:provider)%"),
)
"""Response headers that name who answered: the cluster tells."""
REFUSED_STATUS = 511
"""The status of the error that stands for a provider's 401, on its way to the mapper of local
replies, which knows it by this: no other local reply has it. The client gets 502."""
LARGEST_ANSWER = 256 * 1024 * 1024
"""Bytes of a whole answer that does not say how large it is. No embedding of a full batch is as
large; one that is becomes a 500."""
_AWAY = "The router can't be reached just now; try again in a moment."
_SMALL = "[1-9][0-9]{0,5}"
"""Bytes of a body that is read before anybody asks who sends it: below a million. Larger ones
wait until their headers have been looked at."""


@dataclass(frozen=True, slots=True)
class Fallback:
    """What happens while Prism is away. ``target`` of ``None``: requests get 503."""

    target: Target | None
    reason: str


def routes(fallback: Fallback, direct: Iterable[str], *, at_once: bool) -> dict[str, Any]:
    """The gateway's routes: what Prism decided, else what the failure mode says.

    ``direct`` names the clusters that a first attempt may go to straight away. ``at_once``
    lets small requests reach Prism in one message; it needs a table that reads no header of
    its own choice.
    """
    undecided = _undecided(fallback)
    if at_once:
        undecided = [*map(_small, undecided), *undecided]
    return {
        "name": names.GATEWAY_ROUTES,
        "virtual_hosts": [
            {
                "name": "gateway",
                "domains": ["*"],
                "routes": [_decided(direct), *undecided],
            }
        ],
    }


def _decided(direct: Iterable[str]) -> dict[str, Any]:
    """The first attempt goes straight to its cluster; further ones, and any to a cluster
    that may have no host yet, go through the internal listener.

    Envoy asks for the cluster again before each retry, when the header that names the first
    one is no longer there.
    """
    return {
        "name": "decided",
        # Of answers, too, whatever its name says: one without a length is held until its usage
        # was read, and would become a 500 beyond the listener's limit.
        "request_body_buffer_limit": LARGEST_ANSWER,
        "match": {
            "prefix": "/",
            "headers": [{"name": headers.DECISION_ID, "present_match": True}],
        },
        "route": {
            "inline_cluster_specifier_plugin": {
                "extension": {"name": "first attempt", "typed_config": _specifier(direct)}
            },
            "auto_host_rewrite": True,
            "timeout": "0s",
            "retry_policy": {
                "retry_on": "5xx,reset,connect-failure,refused-stream,retriable-status-codes",
                "retriable_status_codes": list(RETRIABLE_STATUS),
                "num_retries": 0,
                "refresh_cluster_on_retry": True,
                # The next attempt goes to another provider: there is nothing to wait for.
                "retry_back_off": {"base_interval": "0.001s", "max_interval": "0.002s"},
            },
        },
        "typed_per_filter_config": {names.CUSTOM_RESPONSE: _on_refused_credentials()},
        "request_headers_to_remove": list(UNFORWARDED),
        "response_headers_to_add": [
            *ANSWERED_BY,
            names.set_header(headers.DECISION_ID, "%DYNAMIC_METADATA(prism:decision_id)%"),
            names.set_header(headers.TASK_TYPE, "%DYNAMIC_METADATA(prism:task)%"),
            names.set_header(headers.ANSWER_MODE, "%DYNAMIC_METADATA(prism:mode)%"),
            names.set_header(headers.ATTEMPTS, "%UPSTREAM_REQUEST_ATTEMPT_COUNT%"),
        ],
        # What ends the attempts is between the attempt stage and Envoy.
        "response_headers_to_remove": [headers.ENVOY_RATELIMITED],
    }


def _specifier(direct: Iterable[str]) -> dict[str, Any]:
    header = names.typed(
        "type.matcher.v3.HttpRequestHeaderMatchInput", header_name=headers.FIRST_CLUSTER
    )
    tree: dict[str, Any] = {"on_no_match": _to_cluster(names.ATTEMPTS)}
    if clusters := {name: _to_cluster(name) for name in sorted(direct)}:
        tree["matcher_tree"] = {
            "input": {"name": "cluster", "typed_config": header},
            "exact_match_map": {"map": clusters},
        }
    return names.typed(
        "extensions.router.cluster_specifiers.matcher.v3.MatcherClusterSpecifier",
        cluster_matcher=tree,
    )


def _on_refused_credentials() -> dict[str, Any]:
    """401 of a provider is about the gateway's key, which the client has never seen; 403 may be
    about the request, and passes."""
    status = names.typed("type.matcher.v3.HttpResponseStatusCodeMatchInput")
    provider = f"%RESP({headers.PROVIDER})%"
    message = (
        f"The provider {provider} did not accept the gateway's credential. Tell your platform team."
    )
    policy = names.typed(
        "extensions.http.custom_response.local_response_policy.v3.LocalResponsePolicy",
        status_code=REFUSED_STATUS,
        body_format={"text_format_source": {"inline_string": message}},
    )
    on_match = {"action": {"name": "refused", "typed_config": policy}}
    tree = {
        "input": {"name": "status", "typed_config": status},
        "exact_match_map": {"map": {"401": on_match}},
    }
    return names.typed(
        "extensions.filters.http.custom_response.v3.CustomResponse",
        custom_response_matcher={"matcher_tree": tree},
    )


def _to_cluster(name: str) -> dict[str, Any]:
    action = names.typed(
        "extensions.router.cluster_specifiers.matcher.v3.ClusterAction", cluster=name
    )
    return {"action": {"name": "cluster", "typed_config": action}}


def _undecided(fallback: Fallback) -> list[dict[str, Any]]:
    away = [
        _away(
            "away-messages",
            {"path_separated_prefix": MESSAGES},
            anthropic_error_body(503, "router_unavailable", _AWAY),
        ),
        _away("away", {"prefix": "/"}, error_body(503, "router_unavailable", _AWAY)),
    ]
    target = fallback.target
    if target is None:
        return away
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
            *UNFORWARDED,
            *("authorization", "api-key", "x-api-key"),
        ],
    }
    return [open_route, *away]


def _away(name: str, match: dict[str, Any], body: bytes) -> dict[str, Any]:
    return {
        "name": name,
        "match": match,
        "direct_response": {"status": 503, "body": {"inline_string": body.decode()}},
        "response_headers_to_add": [
            names.set_header("content-type", "application/json"),
            names.set_header("retry-after", "1"),
        ],
    }


def _small(route: dict[str, Any]) -> dict[str, Any]:
    """The same route for requests that have a small body, and say so."""
    length = {"name": "content-length", "string_match": {"safe_regex": {"regex": _SMALL}}}
    post = {"name": ":method", "string_match": {"exact": "POST"}}
    match = route["match"]
    # A filter that is off by default is on where a route has some configuration for it.
    filters = "extensions.filters.http"
    stage = names.typed(f"{filters}.ext_proc.v3.ExtProcPerRoute", overrides={})
    apply = names.typed(f"{filters}.lua.v3.LuaPerRoute", filter_context={})
    off = names.typed("config.route.v3.FilterConfig", disabled=True)
    return {
        **route,
        "name": f"{route['name']}-small",
        "match": {**match, "headers": [*match.get("headers", ()), post, length]},
        "typed_per_filter_config": {
            names.EXT_PROC: off,
            names.ROUTE_AT_ONCE: stage,
            names.APPLY: apply,
        },
    }
