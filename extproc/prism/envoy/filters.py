"""The HTTP filters of both listeners, and what goes with them."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from typing import TYPE_CHECKING, Any

from prism.envoy import names
from prism.envoy.patterns import greater_than, other_than
from prism.envoy.routes import REFUSED_STATUS
from prism.exchange import headers
from prism.exchange.targets import RETRIABLE_STATUS
from prism.routing.identify import UNREAD_HEADERS, UNREAD_PREFIX

if TYPE_CHECKING:
    from prism.envoy.bootstrap import Settings

_USAGE = {
    "input": ("usage", "prompt_tokens"),
    "output": ("usage", "completion_tokens"),
    "cached": ("usage", "prompt_tokens_details", "cached_tokens"),
}
"""Where OpenAI's answers, and the last event of their streams, carry the token usage."""
_STREAM_ERRORS = (("error", "message"), ("response", "error", "message"))
"""Where an event of a stream says that the answer failed: OpenAI's chat completions and
Anthropic's messages; OpenAI's responses. Not ``error`` itself, which some send as null."""
FLUSH_S = 0.2
"""Seconds that an entry of an access log waits for others, at most."""
_LARGEST_EVENT = 1024 * 1024
"""Bytes of one server-sent event that are looked at for usage; larger ones pass unread."""

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
        upstream_log=[attempts_log(_FAILED)],
    )
    return {"name": "envoy.filters.http.router", "typed_config": config}


def usage_filters(settings: Settings) -> list[dict[str, Any]]:
    """Token usage from plain and streamed answers into metadata, without Python; also whether
    a stream ended in an error, which its status could not tell."""
    rules = [_usage_rule(key, path) for key, path in _USAGE.items()]
    plain = names.typed(
        "extensions.filters.http.json_to_metadata.v3.JsonToMetadata",
        response_rules={
            "rules": rules,
            "allow_content_types_regex": {"regex": "application/json *(;.*)?"},
        },
    )
    parser = names.typed(
        "extensions.content_parsers.json.v3.JsonContentParser",
        rules=[{"rule": rule} for rule in (*rules, *map(_stream_error_rule, _STREAM_ERRORS))],
    )
    streamed = names.typed(
        "extensions.filters.http.sse_to_metadata.v3.SseToMetadata",
        response_rules={
            "content_parser": {"name": "envoy.content_parsers.json", "typed_config": parser},
            "max_event_size": _LARGEST_EVENT,
        },
    )
    return [
        _unless_too_large("envoy.filters.http.json_to_metadata", plain, settings.max_body),
        {"name": "envoy.filters.http.sse_to_metadata", "typed_config": streamed},
    ]


def _unless_too_large(name: str, config: Any, limit: int) -> dict[str, Any]:
    """A filter that collects the answer's body, for answers that do not say that they are larger
    than ``limit`` bytes: one that cannot be collected would become a 500."""
    length = names.typed(
        "type.matcher.v3.HttpResponseHeaderMatchInput", header_name="content-length"
    )
    skip = names.typed("extensions.filters.common.matcher.action.v3.SkipFilter")
    larger = {
        "input": {"name": "length", "typed_config": length},
        "value_match": {"safe_regex": {"google_re2": {}, "regex": greater_than(limit)}},
    }
    matched = {
        "predicate": {"single_predicate": larger},
        "on_match": {"action": {"name": "skip", "typed_config": skip}},
    }
    return {
        "name": name,
        "typed_config": names.typed(
            "extensions.common.matching.v3.ExtensionWithMatcher",
            xds_matcher={"matcher_list": {"matchers": [matched]}},
            extension_config={"name": name, "typed_config": config},
        ),
    }


def _usage_rule(key: str, path: tuple[str, ...]) -> dict[str, Any]:
    return {
        "selectors": [{"key": part} for part in path],
        "on_present": {"metadata_namespace": names.USAGE, "key": key, "type": "NUMBER"},
    }


def _stream_error_rule(path: tuple[str, ...]) -> dict[str, Any]:
    # A fixed value: what the provider says may hold a prompt, and goes into no log.
    seen = {"metadata_namespace": names.STREAM, "key": names.FAILED, "value": True}
    return {"selectors": [{"key": part} for part in path], "on_present": seen}


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


def local_replies() -> dict[str, Any]:
    """Errors that Envoy itself answers with, in the shape that OpenAI's clients understand."""
    error = {
        "message": "%LOCAL_REPLY_BODY%",
        "type": "gateway_error",
        "param": None,
        "code": "%RESPONSE_CODE_DETAILS%",
    }
    too_large = {
        "message": "The request is larger than the gateway accepts.",
        "type": "invalid_request_error",
        "param": None,
        "code": "request_too_large",
    }
    refused = {
        "message": "%LOCAL_REPLY_BODY%",
        "type": "gateway_error",
        "param": None,
        "code": "provider_credential_refused",
    }
    late = {**error, "message": "No model began to answer in time."}
    too_late = {"filters": [_status_is(504), {"response_flag_filter": {"flags": ["UT"]}}]}
    return {
        "mappers": [
            {
                "filter": _status_is(REFUSED_STATUS),
                "status_code": 502,
                "body_format_override": {"json_format": {"error": refused}},
            },
            {
                "filter": _status_is(413),
                "body_format_override": {"json_format": {"error": too_large}},
            },
            {
                "filter": {"and_filter": too_late},
                "body_format_override": {"json_format": {"error": late}},
            },
            {
                # Any flag: Envoy could not do its work. Prism's own answers come without.
                "filter": {"response_flag_filter": {}},
                "body_format_override": {"json_format": {"error": error}},
            },
        ]
    }


def _status_is(status: int) -> dict[str, Any]:
    value = {"default_value": status, "runtime_key": f"prism.local_reply.{status}"}
    return {"status_code_filter": {"comparison": {"op": "EQ", "value": value}}}


def access_log(*, traced: bool) -> dict[str, Any]:
    """What Prism joins to its decisions: one entry per client request."""
    answered = [headers.MODEL, headers.PROVIDER, headers.ATTEMPTS, headers.DECISION_ID]
    tags = [
        {"tag": names.TRACE_TAG, "value": f"%REQ({headers.TRACEPARENT})%"},
        {"tag": names.SPAN_TAG, "value": "%SPAN_ID%"},
    ]
    return _to_prism(
        names.GATEWAY_LOG,
        tags=tags if traced else (),
        additional_response_headers_to_log=answered,
    )


def attempts_log(which: dict[str, Any]) -> dict[str, Any]:
    """What Prism learns of models and keys from: ``which`` are the attempts that failed. Those
    that went well cost nothing here."""
    # Where there was no host to go to, only this tells the cluster.
    cluster = {"tag": names.CLUSTER_TAG, "value": "%UPSTREAM_CLUSTER_RAW%"}
    log = _to_prism(
        names.ATTEMPTS_LOG,
        tags=[cluster],
        additional_request_headers_to_log=[
            headers.ENVOY_ATTEMPT_COUNT,
            headers.ATTEMPT_TIMEOUT_MS,
            *(headers.cluster_header(number) for number in range(1, headers.MAX_ATTEMPTS + 1)),
        ],
        additional_response_headers_to_log=[headers.RETRY_AFTER],
    )
    return {**log, "filter": which}


def unreachable() -> dict[str, Any]:
    """Attempts that found no host: no router's log of attempts tells of them."""
    return {"response_flag_filter": {"flags": ["UH"]}}


def _status_filter(op: str, status: int) -> dict[str, Any]:
    value = {"default_value": status, "runtime_key": f"prism.attempt.{status}"}
    return {"status_code_filter": {"comparison": {"op": op, "value": value}}}


_FAILED = {
    "or_filter": {
        "filters": [
            *(_status_filter("EQ", status) for status in RETRIABLE_STATUS),
            _status_filter("GE", 500),
            # No connection, reset by the provider, late, not HTTP.
            {"response_flag_filter": {"flags": ["UF", "UC", "UR", "UT", "UPE"]}},
        ]
    }
}


def _to_prism(log: str, tags: Sequence[dict[str, Any]] = (), **what: Any) -> dict[str, Any]:
    config = names.typed(
        "extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig",
        common_config={
            "log_name": log,
            "grpc_service": names.prism_grpc(timeout="0s"),
            "transport_api_version": "V3",
            "buffer_flush_interval": f"{FLUSH_S}s",
            "buffer_size_bytes": 65536,
            "custom_tags": list(tags),
        },
        **what,
    )
    return {"name": "envoy.access_loggers.http_grpc", "typed_config": config}
