"""Errors in the words of either API, from whatever a provider answered.

Providers that speak OpenAI's API agree on little in errors, and what stands before them (a load
balancer) on nothing: so whatever holds a message is read, and the status decides the type.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prism.translate.document import dump, load
from prism.translate.untranslatable import Untranslatable

_SHOWN = 500
"""Characters of an answer that is no JSON which the error repeats."""
_TOO_LONG = "prompt is too long"
_TOO_LONG_CODE = "context_length_exceeded"

# Anthropic's type -> OpenAI's type and code.
OPENAI_WORDS: Mapping[str, tuple[str, str | None]] = {
    "invalid_request_error": ("invalid_request_error", None),
    "authentication_error": ("invalid_request_error", "invalid_api_key"),
    "billing_error": ("insufficient_quota", "insufficient_quota"),
    "permission_error": ("invalid_request_error", "permission_denied"),
    "not_found_error": ("invalid_request_error", "not_found"),
    "request_too_large": ("invalid_request_error", "request_too_large"),
    "rate_limit_error": ("rate_limit_error", "rate_limit_exceeded"),
    "timeout_error": ("server_error", "timeout"),
    "api_error": ("server_error", None),
    "overloaded_error": ("server_error", "overloaded"),
}
# Status -> Anthropic's type (Anthropic's API reference, "Errors").
ANTHROPIC_TYPES: Mapping[int, str] = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_FIRST_SERVER_ERROR = 500


def anthropic_type(status: int) -> str:
    """The type of Anthropic's errors with a status."""
    other = "api_error" if status >= _FIRST_SERVER_ERROR else "invalid_request_error"
    return ANTHROPIC_TYPES.get(status, other)


def openai_error(body: bytes, status: int) -> bytes:
    """An error of Anthropic's API as OpenAI's clients know it."""
    return dump(openai_error_value(_value(body), status))


def openai_error_value(value: object, status: int) -> dict[str, Any]:
    """``{"error": ...}`` from Anthropic's ``{"type": "error", ...}`` or anything else."""
    message, given = _said(value, status)
    kind = str(given.get("type"))
    if kind not in OPENAI_WORDS:
        kind = anthropic_type(status)
    type_, code = OPENAI_WORDS[kind]
    if message.startswith(_TOO_LONG):
        code = _TOO_LONG_CODE
    error = {"message": message, "type": type_, "param": None, "code": code}
    return {"error": error, **_request_id(value)}


def anthropic_error(body: bytes, status: int) -> bytes:
    """An error of an API like OpenAI's as Anthropic's clients know it."""
    return dump(anthropic_error_value(_value(body), status))


def anthropic_error_value(value: object, status: int | None) -> dict[str, Any]:
    """``{"type": "error", ...}`` from OpenAI's ``{"error": ...}`` or anything else.

    ``status`` is ``None`` for an error inside a stream, which has none: its words decide then.
    """
    message, given = _said(value, status)
    param = given.get("param")
    if isinstance(param, str) and param and param not in message:
        message = f"{param}: {message}"
    if given.get("code") == _TOO_LONG_CODE and not message.startswith(_TOO_LONG):
        # Clients shorten the conversation by these words, as OpenAI's do by the code.
        message = f"{_TOO_LONG}: {message}"
    kind = _kind_by_words(given) if status is None else anthropic_type(status)
    error = {"type": kind, "message": message}
    return {"type": "error", "error": error, **_request_id(value)}


def _kind_by_words(given: Mapping[str, Any]) -> str:
    code = given.get("code")
    if isinstance(code, int):
        return anthropic_type(code)
    if code == _TOO_LONG_CODE:
        return "invalid_request_error"
    for kind, words in OPENAI_WORDS.items():
        if code is not None and code == words[1]:
            return kind
    kind = str(given.get("type"))
    return kind if kind in OPENAI_WORDS else "api_error"


def _value(body: bytes) -> object:
    try:
        return load(body)
    except Untranslatable:
        return body.decode(errors="replace").strip()[:_SHOWN]


def _said(value: object, status: int | None) -> tuple[str, Mapping[str, Any]]:
    """The message, and the object that it was in."""
    if isinstance(value, list) and value:
        value = value[0]
    inner = value
    if isinstance(value, dict):
        inner = next((found for name in ("error", "detail") if (found := value.get(name))), value)
    if isinstance(inner, dict):
        message = inner.get("message")
        return (message if isinstance(message, str) else _shown(inner, status)), inner
    return _shown(inner, status), {}


def _shown(value: object, status: int | None) -> str:
    if isinstance(value, str) and value:
        return value
    if value:
        return dump(value).decode()[:_SHOWN]
    what = "failed" if status is None else f"answered {status}"
    return f"The provider {what} and said nothing more."


def _request_id(value: object) -> dict[str, str]:
    """The provider's id of the request, by which its support finds it."""
    found = value.get("request_id") if isinstance(value, dict) else None
    return {"request_id": found} if isinstance(found, str) else {}
