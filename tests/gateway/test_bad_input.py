"""Each bad input gets its own 4xx in OpenAI's shape, and the connection goes on working."""

# ruff: noqa: E501 - a table reads best with a case a line

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
import pytest

from prism.providers import SimulatedProviders

from . import config
from .running import Gateway, chat, error_of

GOOD = json.dumps(chat("What is the capital of France?")).encode()
SECRET = "the-secret-of-the-prompt"


@dataclass(frozen=True)
class Bad:
    id: str
    body: bytes
    status: int
    code: str
    headers: dict[str, str] = field(default_factory=dict)


def message(text: str = SECRET) -> bytes:
    return json.dumps([{"role": "user", "content": text}]).encode()


CASES = [
    Bad("invalid-json", b'{"model":"auto",', 400, "invalid_json"),
    Bad("trailing-garbage", GOOD + b"x", 400, "invalid_json"),
    Bad("not-an-object", b'["model"]', 400, "not_an_object"),
    Bad("a-string", b'"hello"', 400, "not_an_object"),
    Bad("empty", b"", 400, "empty_body"),
    Bad("one-byte", b"{", 400, "invalid_json"),
    Bad("no-messages", b'{"model":"auto"}', 400, "no_messages"),
    Bad("empty-messages", b'{"model":"auto","messages":[]}', 400, "no_messages"),
    Bad("no-model", b'{"messages":%s}' % message(), 400, "missing_model"),
    Bad("model-number", b'{"model":5,"messages":%s}' % message(), 400, "invalid_type"),
    Bad("messages-text", b'{"model":"auto","messages":"hi"}', 400, "invalid_type"),
    Bad("role-number", b'{"model":"auto","messages":[{"role":1}]}', 400, "invalid_type"),
    Bad("stream-text", b'{"model":"auto","stream":"yes","messages":%s}' % message(), 400, "invalid_type"),
    Bad("max-tokens-0", b'{"model":"auto","max_tokens":0,"messages":%s}' % message(), 400, "invalid_max_tokens"),
    Bad("model-twice", b'{"model":"auto","model":"giant","messages":%s}' % message(), 400, "duplicate_key"),
    Bad("escaped-twice", b'{"model":"auto","mod\\u0065l":"giant","messages":%s}' % message(), 400, "duplicate_key"),
    Bad("invalid-utf8", b'{"model":"auto","messages":[{"role":"user","content":"\xff"}]}', 400, "invalid_utf8"),
    Bad("byte-order-mark", b"\xef\xbb\xbf" + GOOD, 400, "byte_order_mark"),
    Bad("gzip", gzip.compress(GOOD), 415, "unsupported_encoding", {"content-encoding": "gzip"}),
    Bad("nesting-bomb", b'{"model":"auto","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, "too_deep"),
    Bad("unknown-mode", GOOD, 400, "unknown_mode", {"x-prism-mode": "turbo"}),
    Bad("unknown-kwarg", b'{"model":"auto","prism":{"mood":"eco"},"messages":%s}' % message(), 400, "invalid_type"),
    Bad("malformed-limit", GOOD, 400, "invalid_limit", {"x-prism-max-cost": "cheap"}),
    Bad("negative-limit", GOOD, 400, "invalid_limit", {"x-prism-max-cost": "-1"}),
    Bad("nan-limit", GOOD, 400, "invalid_limit", {"x-prism-min-quality": "nan"}),
    Bad("impossible-limit", GOOD, 400, "no_eligible_model", {"x-prism-max-cost": "0.000000001"}),
    Bad("unknown-key", GOOD, 401, "invalid_api_key", {"authorization": "Bearer sk-nobody"}),
    Bad("unknown-model", b'{"model":"gaint","messages":%s}' % message(), 404, "model_not_found"),
    Bad("denied-pin", GOOD, 403, "pin_not_allowed", {"authorization": f"Bearer {config.EURO_KEY}", "x-prism-model-prefer": "mini"}),
    Bad("denied-model", GOOD, 403, "model_not_allowed", {"authorization": f"Bearer {config.FORCED_KEY}", "x-prism-model-prefer": "giant"}),
]  # fmt: skip


@pytest.fixture(scope="module")
def connection(shared_gateway: Gateway) -> Iterator[httpx.Client]:
    """One kept-alive connection: a broken one would show in the request after."""
    limits = httpx.Limits(max_connections=1)
    headers = {"authorization": f"Bearer {config.CLIENT_KEY}", "content-type": "application/json"}
    with httpx.Client(base_url=shared_gateway.base_url, headers=headers, limits=limits) as made:
        yield made


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_is_refused_and_the_next_request_works(
    connection: httpx.Client, providers: SimulatedProviders, case: Bad
) -> None:
    answer = connection.post("/chat/completions", content=case.body, headers=case.headers)
    assert (answer.status_code, error_of(answer)["code"]) == (case.status, case.code), answer.text
    assert answer.headers["x-prism-decision-id"]
    assert "connection" not in answer.headers or answer.headers["connection"] != "close"
    assert not providers.requests
    assert connection.post("/chat/completions", content=GOOD).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/chat/completions", 405, "method_not_allowed"),
        ("POST", "/models", 405, "method_not_allowed"),
        ("GET", "/files", 400, "missing_model"),
        ("POST", "/embeddings", 400, "missing_model"),
        ("POST", "/prism/nothing", 404, "unknown_url"),
        ("GET", "/../../etc/passwd", 404, "unknown_url"),
    ],
)
def test_paths(connection: httpx.Client, method: str, path: str, status: int, code: str) -> None:
    answer = connection.request(method, path)
    assert (answer.status_code, error_of(answer)["code"]) == (status, code)
    allow = {"/chat/completions": "POST", "/models": "GET, HEAD"} if status == 405 else {}
    assert answer.headers.get("allow") == allow.get(path)


def test_outside_the_api(shared_gateway: Gateway) -> None:
    answer = httpx.get(f"{shared_gateway.url}/favicon.ico")
    assert (answer.status_code, error_of(answer)["code"]) == (404, "unknown_url")


def test_an_unknown_model_is_suggested(connection: httpx.Client) -> None:
    body = {**chat("hi"), "model": "gaint"}
    assert "'giant'" in error_of(connection.post("/chat/completions", json=body))["message"]


def test_33_mib_is_too_large(connection: httpx.Client, providers: SimulatedProviders) -> None:
    body = b'{"model":"auto","messages":%s}' % message("a" * 33 * 1024 * 1024)
    answer = connection.post("/chat/completions", content=body, timeout=60)
    assert (answer.status_code, error_of(answer)["code"]) == (413, "request_too_large")
    assert connection.post("/chat/completions", content=GOOD).status_code == 200


def test_nothing_of_a_prompt_or_key_is_logged(
    connection: httpx.Client, shared_gateway: Gateway
) -> None:
    for case in CASES:
        connection.post("/chat/completions", content=case.body, headers=case.headers)
    connection.post("/chat/completions", json=chat(SECRET))
    log = shared_gateway.log.read_text()
    shown = [SECRET, config.CLIENT_KEY, config.EURO_KEY, "sk-nobody", *config.KEYS.values()]
    assert [text for text in shown if text in log] == []
