"""Errors in the shapes that OpenAI's and Anthropic's clients understand."""

from __future__ import annotations

from enum import Enum, auto
from typing import Any

import msgspec
from aiohttp import web

from prism.providers.ask import Refusal
from prism.providers.fault import Fault


class Style(Enum):
    """Whose shape an endpoint's errors have."""

    OPENAI = auto()
    ANTHROPIC = auto()


_ANTHROPIC_KINDS = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def error_value(refusal: Refusal, style: Style, request_id: str | None = None) -> dict[str, Any]:
    """The JSON value of an error; Anthropic's has the id of the request in it."""
    if style is Style.ANTHROPIC:
        default = "invalid_request_error" if refusal.status < 500 else "api_error"
        kind = _ANTHROPIC_KINDS.get(refusal.status, default)
        error = {"type": kind, "message": refusal.message}
        known = {} if request_id is None else {"request_id": request_id}
        return {"type": "error", "error": error, **known}
    said = {
        "message": refusal.message,
        "type": refusal.kind,
        "param": refusal.param,
        "code": refusal.code,
    }
    return {"error": said}


def id_headers(request_id: str, style: Style) -> dict[str, str]:
    """The header that tells the id of a request."""
    name = "request-id" if style is Style.ANTHROPIC else "x-request-id"
    return {name: request_id}


def error_response(
    refusal: Refusal,
    style: Style,
    headers: dict[str, str] | None = None,
    request_id: str | None = None,
) -> web.Response:
    """The answer that an error is."""
    ids = {} if request_id is None else id_headers(request_id, style)
    return web.Response(
        status=refusal.status,
        body=msgspec.json.encode(error_value(refusal, style, request_id)),
        headers={"content-type": "application/json", **ids, **(headers or {})},
    )


def refusal_of(fault: Fault, status: int) -> Refusal:
    """What a provider says when it fails with ``status``."""
    if status == 429:
        message, code, kind = "Rate limit reached for requests", "rate_limit_exceeded", "requests"
    elif status >= 500:
        message = "The server had an error while processing your request. Sorry about that!"
        code, kind = None, "server_error"
    else:
        message, code, kind = f"Simulated error {status}", None, "invalid_request_error"
    return Refusal(status, fault.message or message, code, None, kind)


def no_such_url(method: str, path: str) -> Refusal:
    return Refusal(404, f"Invalid URL ({method} {path})")


def wrong_method(method: str, path: str) -> Refusal:
    hint = "HINT: Perhaps you meant to make your HTTP request using a different method?"
    return Refusal(405, f"Not allowed to {method} on {path}. ({hint})")


def no_such_model(model: str) -> Refusal:
    message = f"The model `{model}` does not exist or you do not have access to it."
    return Refusal(404, message, "model_not_found")


def too_large(limit: int) -> Refusal:
    return Refusal(413, f"The request is larger than {limit} bytes.", "request_too_large")


def no_version() -> Refusal:
    """Anthropic's API wants to be told its version with each request."""
    return Refusal(400, "anthropic-version: header is required")


def wrong_key(given: bool) -> Refusal:
    """The key is never repeated: answers end up in logs."""
    if not given:
        message = "You didn't provide an API key. You need to provide your API key in an "
        return Refusal(401, message + "Authorization header using Bearer auth.")
    return Refusal(401, "Incorrect API key provided.", "invalid_api_key")
