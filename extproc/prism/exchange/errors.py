"""Errors in the shapes that the clients of both APIs understand."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from prism.exchange.headers import DECISION_ID, RETRY_AFTER
from prism.exchange.steps import Reply
from prism.routing.catalog import Api

_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "invalid_request_error",
    429: "rate_limit_error",
    503: "service_unavailable_error",
    504: "timeout_error",
}
# Anthropic's API reference, "Errors".
_ANTHROPIC_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
}


def error_body(status: int, code: str, message: str, param: str | None = None) -> bytes:
    """The JSON of an error, as OpenAI's API reference gives it ("Error codes")."""
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    error = {"message": message, "type": kind, "param": param, "code": code}
    return msgspec.json.encode({"error": error})


def anthropic_error_body(
    status: int, code: str, message: str, request_id: str | None = None
) -> bytes:
    """The same as Anthropic's API has it; ``code`` is an addition, the same for both."""
    kind = _ANTHROPIC_TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")
    error = {"type": kind, "message": message, "code": code}
    return msgspec.json.encode({"type": "error", "error": error, "request_id": request_id})


def error(
    status: int,
    code: str,
    message: str,
    *,
    decision_id: str,
    param: str | None = None,
    api: Api = Api.OPENAI,
    retry_after_s: int | None = None,
) -> Reply:
    """Answer with an error; the decision id lets its reader ask for the reasons. ``api`` is the
    one that the client speaks. ``retry_after_s``: it makes no sense to try again before."""
    if api is Api.ANTHROPIC:
        body = anthropic_error_body(status, code, message, decision_id)
    else:
        body = error_body(status, code, message, param)
    reply = json_reply(status, body, decision_id)
    if retry_after_s is None:
        return reply
    # The SDKs try a 429 again within seconds unless they are told not to.
    more = (RETRY_AFTER, str(retry_after_s)), ("x-should-retry", "false")
    return replace(reply, headers=(*reply.headers, *more))


def json_reply(status: int, body: bytes, decision_id: str) -> Reply:
    """Answer with JSON."""
    headers = (("content-type", "application/json"), (DECISION_ID, decision_id))
    return Reply(status, headers, body)
