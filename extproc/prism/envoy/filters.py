"""The HTTP filters of both listeners."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Any

from prism.envoy import names
from prism.envoy.logs import FAILED, attempts_log
from prism.envoy.patterns import other_than
from prism.exchange import headers
from prism.routing.identify import UNREAD_HEADERS, UNREAD_PREFIX

if TYPE_CHECKING:
    from prism.envoy.bootstrap import Settings

# Headers that every client sends and no stage reads: each costs Python a few microseconds.
# A list of those that are sent would not do: a table may name any header as the project's.
_UNREAD = [
    *({"exact": name} for name in sorted({*UNREAD_HEADERS, ":scheme", ":authority"})),
    {"prefix": UNREAD_PREFIX},
]


_ATTRIBUTE_OF_HEADER = "request.headers['{}']"
AT_ONCE_ATTRIBUTES = {
    "request.method": ":method",
    "request.path": ":path",
    **{_ATTRIBUTE_OF_HEADER.format(name): name for name in headers.READ},
}
"""What travels with the body of a small request, as CEL expressions, and the header each is."""


def ext_proc(settings: Settings, stage: str, *, fail_open: bool) -> dict[str, Any]:
    """A stage: headers, then the whole body; answers never pass through Prism.

    With ``fail_open`` a request that Prism can't see keeps its first route, which is the
    one for the failure mode.
    """
    config = _ext_proc(settings, stage, "SEND", fail_open=fail_open)
    config["forward_rules"] = {"disallowed_headers": {"patterns": _UNREAD}}
    # An attempt that is translated asks for its answer, too.
    config["allow_mode_override"] = stage == names.ATTEMPT_STAGE
    return {"name": names.EXT_PROC, "typed_config": config}


def route_at_once(settings: Settings) -> list[dict[str, Any]]:
    """The route stage in one message, for the routes that turn it on.

    Envoy does not apply the header changes of an ext_proc that was not sent the headers, so
    the answer leaves them in the request's metadata and a second filter applies them.
    """
    config = _ext_proc(settings, names.ROUTE_AT_ONCE, "SKIP", fail_open=True)
    config["request_attributes"] = list(AT_ONCE_ATTRIBUTES)
    return [
        {"name": names.ROUTE_AT_ONCE, "typed_config": config, "disabled": True},
        {"name": names.APPLY, "typed_config": _lua("apply.lua"), "disabled": True},
    ]


def _ext_proc(settings: Settings, stage: str, headers_mode: str, *, fail_open: bool) -> Any:
    timeout = f"{settings.message_timeout_ms / 1000}s"
    return names.typed(
        "extensions.filters.http.ext_proc.v3.ExternalProcessor",
        # The stream of a stage lives as long as its request, whatever the providers do.
        grpc_service=names.prism_grpc(stage, timeout="0s"),
        failure_mode_allow=fail_open,
        message_timeout=timeout,
        stat_prefix=stage,
        processing_mode={
            "request_header_mode": headers_mode,
            "response_header_mode": "SKIP",
            "request_body_mode": "BUFFERED",
            "response_body_mode": "NONE",
            "request_trailer_mode": "SKIP",
            "response_trailer_mode": "SKIP",
        },
        # Without these, Envoy drops the retry headers and the path that a stage sets.
        mutation_rules={"allow_all_routing": True, "allow_envoy": True},
        metadata_options={"receiving_namespaces": {"untyped": [names.METADATA]}},
        status_on_error={"code": "ServiceUnavailable"},
    )


def attempt_timeout() -> dict[str, Any]:
    """Gives the internal listener's router the limit of an attempt that races. Envoy takes its
    own header off what comes from outside, so the limit travels under another name."""
    limit = names.set_header(
        headers.ENVOY_PER_TRY_TIMEOUT_MS, f"%REQ({headers.ATTEMPT_TIMEOUT_MS})%"
    )
    config = names.typed(
        "extensions.filters.http.header_mutation.v3.HeaderMutation",
        mutations={"request_mutations": [{"append": limit}]},
    )
    return {"name": "envoy.filters.http.header_mutation", "typed_config": config}


def router() -> dict[str, Any]:
    """The last filter. It logs attempts, which the gateway's log knows only the number of."""
    config = names.typed(
        "extensions.filters.http.router.v3.Router",
        suppress_envoy_headers=True,
        upstream_log=[attempts_log(FAILED)],
    )
    return {"name": "envoy.filters.http.router", "typed_config": config}


def refused_credentials() -> dict[str, Any]:
    """Answers instead of a provider that does not take the gateway's key, once no attempt is
    left. What to answer comes with the routes whose requests carry a key of the gateway's."""
    config = names.typed("extensions.filters.http.custom_response.v3.CustomResponse")
    return {"name": names.CUSTOM_RESPONSE, "typed_config": config}


def early_header_mutation() -> dict[str, Any]:
    """Strip what only Prism and Envoy may set, before anything reads a header; and what no
    version of Prism knows, which no provider should see."""
    asked = [name.removeprefix(headers.PREFIX) for name in headers.REQUEST]
    unknown = {"safe_regex": {"regex": headers.PREFIX + other_than(asked)}}
    removed = [
        {"remove_on_match": {"key_matcher": matcher}}
        for matcher in (unknown, {"prefix": "x-envoy-"})
    ]
    config = names.typed(
        "extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
        mutations=removed,
    )
    return {
        "name": "envoy.http.early_header_mutation.header_mutation",
        "typed_config": config,
    }


def fallback_lua() -> dict[str, Any]:
    """Rewrites the body of a request that Prism could not see, on its way to the fallback."""
    return {"name": names.LUA, "typed_config": _lua("fallback.lua")}


def _lua(script: str) -> dict[str, Any]:
    text = resources.files("prism.envoy").joinpath(script).read_text("utf-8")
    return names.typed(
        "extensions.filters.http.lua.v3.Lua", default_source_code={"inline_string": text}
    )
