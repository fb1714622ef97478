"""Every request that the route stage answers with an error, and with which."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from prism.exchange.steps import Reply
from prism.exchange.targets import Live

from .stages import CHAT, encoded, error_of, hashed, live, routed
from .tables import catalog, policy, table


@dataclass(frozen=True)
class Row:
    """A request and its error. ``body`` of ``None``: the headers are all."""

    id: str
    status: int
    code: str
    words: str = ""
    body: bytes | None = field(default_factory=encoded)
    path: str = CHAT
    method: str = "POST"
    headers: dict[str, str] = field(default_factory=dict)
    live: Live = field(default_factory=live)


def limit(header: str, value: str) -> Row:
    return Row(f"{header}: {value}", 400, "invalid_limit", header, headers={header: value})


def kwarg(**prism: Any) -> Row:
    (name,) = prism
    return Row(f"kwarg {prism}", 400, "invalid_limit", f"prism.{name}", encoded(prism=prism))


ACME = policy(key_hashes=hashed("k"), denied_models=frozenset({"huge"}), allow_pins=True)
NO_PINS = policy(key_hashes=hashed("k"), allow_pins=False)
AS_ACME = {"authorization": "Bearer k"}

ROWS = [
    # paths and methods
    Row("no path", 404, "unknown_url", path=""),
    Row("root", 404, "unknown_url", "POST /", path="/"),
    Row("outside the API", 404, "unknown_url", path="/healthz", method="GET", body=None),
    Row("a sibling of the root", 404, "unknown_url", path="/v10/chat/completions"),
    Row("the API's root", 404, "unknown_url", path="/v1/"),
    Row("unknown prism path", 404, "unknown_url", path="/v1/prism/secrets"),
    Row("dots", 404, "unknown_url", path="/v1/files/../../admin"),
    Row("dots at the end", 404, "unknown_url", path="/v1/files/.."),
    Row("encoded dots", 404, "unknown_url", path="/v1/%2e%2E/admin"),
    Row("encoded slashes", 404, "unknown_url", path="/v1/a%2f..%2fadmin"),
    Row("encoded twice", 404, "unknown_url", path="/v1/%252e%252e/admin"),
    Row("backslashes", 404, "unknown_url", path="/v1/a\\..\\admin"),
    Row("GET chat", 405, "method_not_allowed", "GET", method="GET", body=None),
    Row("OPTIONS chat", 405, "method_not_allowed", method="OPTIONS", body=None),
    Row("HEAD chat", 405, "method_not_allowed", method="HEAD", body=None),
    Row("POST models", 405, "method_not_allowed", path="/v1/models"),
    Row("DELETE a model", 405, "method_not_allowed", path="/v1/models/m", method="DELETE"),
    Row("GET route", 405, "method_not_allowed", path="/v1/prism/route", method="GET", body=None),
    Row("a long path is cut", 404, "unknown_url", path="/" + "x" * 50_000),
    # who asks
    Row("unknown key", 401, "invalid_api_key", headers={"authorization": "Bearer wrong"},
        live=live(catalog(ACME))),
    Row("no key where one must be", 401, "invalid_api_key", "Authorization: Bearer",
        live=live(catalog(tables=(table(require_api_key=True),)))),
    Row("not a bearer", 401, "invalid_api_key", headers={"authorization": "Basic k"},
        live=live(catalog(ACME, tables=(table(require_api_key=True),)))),
    Row("unknown project", 403, "project_not_found", "'x'", headers={"x-team": "x"},
        live=live(catalog(tables=(table(project_header="x-team"),)))),
    # bodies
    Row("no body", 400, "empty_body", body=None),
    Row("empty body", 400, "empty_body", body=b""),
    Row("not JSON", 400, "invalid_json", body=b"hello"),
    Row("not UTF-8", 400, "invalid_utf8", body=b'{"model":"\xff"}'),
    Row("twice a model", 400, "duplicate_key", "'model'", b'{"model":"a","model":"b"}'),
    Row("no model", 400, "missing_model", '"auto"', b'{"messages":[]}'),
    Row("model is null", 400, "invalid_type", "model", encoded(model=None)),
    Row("model is empty", 400, "invalid_model", body=encoded(model="")),
    Row("model is a book", 400, "invalid_model", body=encoded(model="m" * 100_000)),
    Row("pin is a book", 400, "invalid_model", headers={"x-prism-model-prefer": "m" * 60_000}),
    Row("no messages", 400, "no_messages", body=encoded(messages=[])),
    Row("wrong type", 400, "invalid_type", "messages[0].role", encoded(messages=[{"role": 1}])),
    Row("gzip", 415, "unsupported_encoding", "'gzip'", headers={"content-encoding": "gzip"}),
    Row("a dry run of gzip", 415, "unsupported_encoding", path="/v1/prism/route",
        headers={"content-encoding": "br"}),
    # what is asked for
    Row("unknown mode", 400, "unknown_mode", "X-Prism-Mode: no mode 'fast'; use eco, balanced",
        headers={"x-prism-mode": "fast"}),
    Row("empty mode", 400, "unknown_mode", headers={"x-prism-mode": ""}),
    Row("two modes", 400, "unknown_mode", "'eco,sport'", headers={"x-prism-mode": "eco,sport"}),
    Row("unknown mode by kwarg", 400, "unknown_mode", "prism.mode",
        encoded(prism={"mode": "fast"})),
    Row("unknown kwarg", 400, "invalid_type", "`moed`", encoded(prism={"moed": "eco"})),
    *(limit("x-prism-max-cost", value)
      for value in ("", "cheap", "0", "-1", "nan", "inf", "1e999", "1_0", "٣", "1,2", "0x1")),
    *(limit("x-prism-min-quality", value) for value in ("-0.1", "1.1", "nan", "high")),
    *(limit("x-prism-max-latency-ms", value) for value in ("0", "-5", "5s", "Infinity")),
    kwarg(max_cost=0), kwarg(max_cost=-1), kwarg(min_quality=2), kwarg(max_latency_ms=-1),
    # decisions
    Row("unknown model", 404, "model_not_found", "meduim", encoded(model="meduim")),
    Row("unknown pin", 404, "model_not_found", headers={"x-prism-model-prefer": "nope"}),
    Row("unknown pin by kwarg", 404, "model_not_found", "nope",
        encoded(prism={"model_prefer": "nope"})),
    Row("a denied pin", 403, "model_not_allowed", body=encoded(model="huge"), headers=AS_ACME,
        live=live(catalog(ACME))),
    Row("no pins", 403, "pin_not_allowed", body=encoded(model="huge"), headers=AS_ACME,
        live=live(catalog(NO_PINS))),
    Row("a pin that can't", 400, "no_eligible_model", body=encoded(model="tiny", tools=[{}])),
    Row("no key of the provider", 503, "missing_credential", "cedar-key (cedar)",
        encoded(model="huge"), live=live(keys={})),
    # other paths
    Row("embeddings without a model", 400, "missing_model", "names no model",
        b'{"input":"x"}', "/v1/embeddings"),
    Row("embeddings with auto", 400, "missing_model", "can't use model 'auto'",
        b'{"model":"auto"}', "/v1/embeddings"),
    Row("a list without a model", 400, "missing_model", path="/v1/files", method="GET", body=None),
    Row("a form without a pin", 400, "missing_model", "X-Prism-Model-Prefer", b"--x\r\n--x--",
        "/v1/audio/transcriptions", headers={"content-type": "multipart/form-data; boundary=x"}),
    Row("a broken body", 400, "invalid_json", "", b'{"model"', "/v1/responses"),
    Row("an unknown model of embeddings", 404, "model_not_found", "", b'{"model":"nope"}',
        "/v1/embeddings"),
    Row("gzip that names no model", 400, "missing_model", "", b"\x1f\x8b", "/v1/embeddings",
        headers={"content-encoding": "gzip", "content-type": "application/json"}),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id[:60])
def test_a_request_is_refused(row: Row) -> None:
    step = routed(row.body, path=row.path, method=row.method, headers=row.headers, live=row.live)
    found = error_of(step)
    assert isinstance(step, Reply)
    assert (step.status, found["code"]) == (row.status, row.code), found["message"]
    assert row.words in found["message"]
    assert len(found["message"]) < 1500


def test_the_type_of_an_error_is_openais() -> None:
    assert error_of(routed(b"", live=live()))["type"] == "invalid_request_error"
    gone = routed(encoded(model="huge"), live=live(keys={}))
    assert error_of(gone)["type"] == "service_unavailable_error"
    made = live(catalog(tables=(table(require_api_key=True),)))
    assert error_of(routed(encoded(), live=made))["type"] == "authentication_error"


def test_the_member_at_fault_is_named() -> None:
    found = error_of(routed(encoded(stream="yes"), live=live()))
    assert found["param"] == "stream"


def test_keys_do_not_appear_in_errors_or_representations() -> None:
    made = live(catalog(ACME), {"acorn-key": "sk-acorn"})
    step = routed(encoded(), headers={"authorization": "Bearer secret"}, live=made)
    assert "secret" not in error_of(step)["message"]
    assert "sk-acorn" not in repr(made)
