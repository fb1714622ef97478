"""Requests at the two stages, for tests of the exchange package."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from prism.exchange.attempt import AttemptStage, Take
from prism.exchange.headers import further
from prism.exchange.route import RouteStage
from prism.exchange.routed import always
from prism.exchange.steps import Classify, Proceed, Reply, RequestHeaders, Rewrite, Step
from prism.exchange.targets import Live, compile_live
from prism.routing.catalog import Catalog
from prism.routing.decide import Health
from prism.routing.plan import compile_plan
from prism.routing.signals import Classification

from .tables import catalog, classified

ID = "0193dec15102" + "0123456789abcdef"
KEYS = {"acorn-key": "sk-acorn", "birch-key": "sk-birch", "cedar-key": "sk-cedar"}
CHAT = "/v1/chat/completions"
HI: list[dict[str, Any]] = [{"role": "user", "content": "hi"}]


def live(made: Catalog | None = None, keys: Mapping[str, str] = KEYS) -> Live:
    made = catalog() if made is None else made
    return compile_live(compile_plan(made), made, keys)


def hashed(key: str) -> frozenset[str]:
    return frozenset({hashlib.sha256(key.encode()).hexdigest()})


def encoded(**members: Any) -> bytes:
    """A chat body, compact as OpenAI's client writes it."""
    return json.dumps({"model": "auto", "messages": HI, **members}, separators=(",", ":")).encode()


def routed(
    body: bytes | None = None,
    *,
    path: str = CHAT,
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
    live: Live,
    classification: Classification | None = None,
    degraded: str | None = None,
) -> Reply | Rewrite:
    """A request through the route stage, held to the protocol of its events."""
    stage = RouteStage(live, Health(), ID)
    sent = {":method": method, ":path": path, ":authority": "gateway", **(headers or {})}
    step: Step = stage.on_headers(RequestHeaders(sent, complete=body is None))
    if isinstance(step, Proceed):
        assert body is not None, "nothing more comes"
        step = stage.on_body(body)
    else:
        assert body is None, "with a body to come, the headers' answer must wait"
    if isinstance(step, Classify):
        made = classified() if classification is None and degraded is None else classification
        step = stage.on_classified(made, degraded)
    assert isinstance(step, Reply | Rewrite)
    return step


def attempted(
    first: Rewrite,
    number: int,
    body: bytes | None,
    *,
    live: Live,
    after_ms: int = 0,
    take: Take = always,
    **changes: str,
) -> Reply | Rewrite:
    """A further attempt at a request that the route stage has written ``after_ms`` ago."""
    stage = AttemptStage(live, int(ID[:12], 16) + after_ms, take)
    # As Envoy has it: what the route stage set, and on the way here what it left in metadata.
    left = {name: first.labels[name] for name in further() if name in first.labels}
    count = {"x-envoy-attempt-count": str(number)}
    headers = {**dict(first.set_headers), **left, **count, **changes}
    step: Step = stage.on_headers(RequestHeaders(headers, complete=body is None))
    if isinstance(step, Proceed):
        assert body is not None
        step = stage.on_body(body)
    assert isinstance(step, Reply | Rewrite)
    return step


def messages_error_of(step: Reply | Rewrite) -> dict[str, Any]:
    """The same in the shape of Anthropic's API."""
    assert isinstance(step, Reply)
    assert ("content-type", "application/json") in step.headers
    answer = json.loads(step.body)
    assert (answer["type"], answer["request_id"]) == ("error", ID)
    found: dict[str, Any] = answer["error"]
    assert list(found) == ["type", "message", "code"]
    return found


def error_of(step: Reply | Rewrite) -> dict[str, Any]:
    """The error of a reply, whose shape is checked."""
    assert isinstance(step, Reply)
    assert ("content-type", "application/json") in step.headers
    assert ("x-prism-decision-id", ID) in step.headers
    answer = json.loads(step.body)
    assert list(answer) == ["error"]
    found: dict[str, Any] = answer["error"]
    assert list(found) == ["message", "type", "param", "code"]
    assert found["message"]
    for key in KEYS.values():
        assert key not in step.body.decode()
    return found
