"""The filters that read token usage of answers, so that no Python has to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prism.envoy import names
from prism.envoy.patterns import greater_than

if TYPE_CHECKING:
    from prism.envoy.bootstrap import Settings

_TOKENS = (("input", ("input_tokens",)), ("output", ("output_tokens",)))
_CACHED = (("cached", ("input_tokens_details", "cached_tokens")),)
_CACHES = (
    ("cache_read", ("cache_read_input_tokens",)),
    ("cache_created", ("cache_creation_input_tokens",)),
)
"""Anthropic's ``input_tokens`` leave out those from and to the cache: ``wire.gateway_log`` adds
them. OpenAI's, of either API, have them."""
_PLACES = (
    # A whole answer of either API, or the last delta of a stream of Messages.
    ((), (*_TOKENS, *_CACHED, *_CACHES)),
    # The first event of such a stream.
    (("message",), (*_TOKENS, *_CACHES)),
    # The last event of a stream of Responses.
    (("response",), (*_TOKENS, *_CACHED)),
)
_USAGE = (
    ("input", ("usage", "prompt_tokens")),
    ("output", ("usage", "completion_tokens")),
    ("cached", ("usage", "prompt_tokens_details", "cached_tokens")),
    ("cache_write", ("usage", "prompt_tokens_details", "cache_write_tokens")),
    *((key, (*place, "usage", *path)) for place, found in _PLACES for key, path in found),
)
"""Where answers and the events of streams carry the token usage: Chat Completions, then the other
two APIs. The last one counts."""
_STREAM_ERRORS = (("error", "message"), ("response", "error", "message"))
"""Where an event of a stream says that the answer failed: OpenAI's chat completions and
Anthropic's messages; OpenAI's responses. Not ``error`` itself, which some send as null."""
_LARGEST_EVENT = 1024 * 1024
"""Bytes of one server-sent event that are looked at for usage; larger ones pass unread."""


def usage_filters(settings: Settings) -> list[dict[str, Any]]:
    """Token usage from plain and streamed answers into metadata, without Python; also whether
    a stream ended in an error, which its status could not tell."""
    rules = [_usage_rule(key, path) for key, path in _USAGE]
    # Each place that is looked at costs every answer; only events of streams have it further down.
    whole = [_usage_rule(key, path) for key, path in _USAGE if path[0] == "usage"]
    plain = names.typed(
        "extensions.filters.http.json_to_metadata.v3.JsonToMetadata",
        response_rules={
            "rules": whole,
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
