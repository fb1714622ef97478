"""The answers that Envoy itself gives, in the shapes of both APIs."""

from __future__ import annotations

from typing import Any

from prism.envoy import names
from prism.envoy.routes import REFUSED_STATUS
from prism.exchange.endpoints import MESSAGES
from prism.exchange.headers import CLIENT_API
from prism.routing.catalog import Api


def local_replies() -> dict[str, Any]:
    """Errors that Envoy itself answers with, in the shape that the client understands: at each
    place in both listeners the path tells whose that is."""
    too_large = "The request is larger than the gateway accepts."
    late = "No model began to answer in time."
    away = "The provider can't be reached: there is no connection to it, or TLS fails."
    refused = _status_is(REFUSED_STATUS)
    said = "%LOCAL_REPLY_BODY%"
    large = _status_is(413)
    other: dict[str, Any] = {"response_flag_filter": {}}
    unreached = {"response_flag_filter": {"flags": ["UF"]}}
    slow = _both(_status_is(504), {"response_flag_filter": {"flags": ["UT"]}})
    return {
        "mappers": [
            _mapper(
                _both(refused, _FOR_MESSAGES),
                _anthropic("api_error", said, "provider_credential_refused"),
                502,
            ),
            _mapper(refused, _openai("provider_credential_refused", "gateway_error", said), 502),
            _mapper(_both(large, _FOR_MESSAGES), _anthropic("request_too_large", too_large)),
            _mapper(large, _openai("request_too_large", "invalid_request_error", too_large)),
            _mapper(
                _both(slow, _FOR_MESSAGES),
                _anthropic("timeout_error", late, "%RESPONSE_CODE_DETAILS%"),
            ),
            _mapper(slow, _openai("%RESPONSE_CODE_DETAILS%", "gateway_error", late)),
            *_too_large_answer(),
            _mapper(
                _both(unreached, _FOR_MESSAGES),
                _anthropic("api_error", away, "provider_unreachable"),
            ),
            _mapper(unreached, _openai("provider_unreachable", "gateway_error", away)),
            # Any flag: Envoy could not do its work. Prism's own answers come without.
            _mapper(
                _both(other, _FOR_MESSAGES),
                _anthropic("api_error", said, "%RESPONSE_CODE_DETAILS%"),
            ),
            _mapper(other, _openai("%RESPONSE_CODE_DETAILS%", "gateway_error", said)),
        ]
    }


def _too_large_answer() -> list[dict[str, Any]]:
    """Of an answer that had to be held as a whole: nothing else makes Envoy say 500. Nobody
    translates this one, so a label tells where the client speaks another API than the path.
    """
    message = "The answer is larger than the gateway can hold."
    openai = _openai("answer_too_large", "gateway_error", message)
    anthropic = _anthropic("api_error", message, "answer_too_large")
    larger = _status_is(500)
    return [
        _mapper(_both(larger, _client_speaks(Api.OPENAI)), openai),
        _mapper(_both(larger, _client_speaks(Api.ANTHROPIC)), anthropic),
        _mapper(_both(larger, _FOR_MESSAGES), anthropic),
        _mapper(larger, openai),
    ]


def _client_speaks(api: Api) -> dict[str, Any]:
    matcher = {
        "filter": names.METADATA,
        "path": [{"key": CLIENT_API}],
        "value": {"string_match": {"exact": api.value}},
    }
    return {"metadata_filter": {"matcher": matcher, "match_if_key_not_found": False}}


_FOR_MESSAGES = {
    "header_filter": {
        "header": {
            "name": ":path",
            # At a provider, something may come before it.
            "string_match": {"safe_regex": {"regex": f"[^?]*{MESSAGES}([/?].*)?"}},
        }
    }
}


def _both(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    return {"and_filter": {"filters": [one, other]}}


def _mapper(
    which: dict[str, Any], error: dict[str, Any], status: int | None = None
) -> dict[str, Any]:
    """``status`` stands instead of the reply's own."""
    made: dict[str, Any] = {"filter": which, "body_format_override": {"json_format": error}}
    return made if status is None else {**made, "status_code": status}


def _openai(code: str, kind: str, message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def _anthropic(kind: str, message: str, code: str | None = None) -> dict[str, Any]:
    error = {"type": kind, "message": message, "code": code or kind}
    return {"type": "error", "error": error, "request_id": None}


def _status_is(status: int) -> dict[str, Any]:
    value = {"default_value": status, "runtime_key": f"prism.local_reply.{status}"}
    return {"status_code_filter": {"comparison": {"op": "EQ", "value": value}}}
