"""Both stages where client and provider speak different APIs, and the paths of each API."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from prism.exchange.attempt import AttemptStage
from prism.exchange.endpoints import API_ROOT, Kind, api_of, endpoint_of
from prism.exchange.headers import further
from prism.exchange.steps import AnswerHeaders, AnswerTaken, Proceed, Reply, RequestHeaders, Rewrite
from prism.exchange.targets import Live
from prism.routing.catalog import Api

from .stages import HI, ID, encoded, error_of, live, messages_error_of, routed
from .tables import catalog, table

ECO, SPORT = {"x-prism-mode": "eco"}, {"x-prism-mode": "sport"}
MESSAGES = "/v1/messages"


def asked(**members: Any) -> bytes:
    """A body of Anthropic's API, compact as its client writes it."""
    said = {"model": "auto", "max_tokens": 9, "messages": HI, **members}
    return json.dumps(said, separators=(",", ":")).encode()


@pytest.fixture
def mixed() -> Live:
    """In eco ``tiny`` (acorn) comes first and speaks Anthropic's API; ``small`` does not."""
    made = table()
    acorn = replace(made.providers["acorn"], api=Api.ANTHROPIC, base_url="https://acorn.test/x")
    return live(catalog(tables=(replace(made, providers={**made.providers, "acorn": acorn}),)))


def attempt(
    first: Rewrite, number: int, made: Live
) -> tuple[AttemptStage, Proceed | Rewrite | Reply, Rewrite | Reply]:
    """An attempt with what the route stage left for it: the stage, its first and its last step."""
    left = {name: first.labels[name] for name in further() if name in first.labels}
    headers = {**dict(first.set_headers), **left, "x-envoy-attempt-count": str(number)}
    headers["x-prism-decision-id"] = ID
    stage = AttemptStage(made, int(ID[:12], 16), lambda _: number > 1)
    begun = stage.on_headers(RequestHeaders(headers, complete=False))
    assert isinstance(begun, Proceed)
    assert first.body is not None
    step = stage.on_body(first.body)
    assert isinstance(step, Rewrite | Reply)
    return stage, begun, step


def rewritten(step: object) -> tuple[dict[str, str], Rewrite]:
    assert isinstance(step, Rewrite), step
    return dict(step.set_headers), step


def test_a_first_attempt_at_another_api_is_the_attempt_stage_s(mixed: Live) -> None:
    headers, first = rewritten(routed(encoded(), headers=ECO, live=mixed))
    assert "x-prism-first-cluster" not in headers
    assert first.labels["x-prism-translated"] == "1"
    assert headers[":path"] == "/v1/chat/completions"
    stage, begun, step = attempt(first, 1, mixed)
    assert begun == Proceed(answer=True)
    sent, step = rewritten(step)
    assert sent[":path"] == "/x/v1/messages"
    assert sent["x-api-key"] == "sk-acorn"
    assert sent["anthropic-version"] == "2023-06-01"
    assert "authorization" in step.remove_headers
    assert "x-api-key" not in step.remove_headers
    assert step.body is not None
    assert sent["content-length"] == str(len(step.body))
    said = json.loads(step.body)
    assert (said["model"], said["messages"][0]["content"]) == ("acorn/tiny", "hi")
    assert stage.answering is not None


def test_a_further_attempt_at_another_api_is_translated(mixed: Live) -> None:
    body = asked(system="be brief")
    headers, first = rewritten(routed(body, path=MESSAGES, headers=ECO, live=mixed))
    # Native at first: byte for byte but for the model's name.
    assert first.body == body.replace(b'"auto"', b'"acorn/tiny"')
    assert headers[":path"] == "/x/v1/messages"
    assert headers["x-api-key"] == "sk-acorn"
    assert "x-prism-translated" not in first.labels
    assert "anthropic-version" not in (*headers, *first.remove_headers)
    _, begun, step = attempt(first, 2, mixed)
    assert begun == Proceed(answer=True)
    sent, step = rewritten(step)
    assert sent[":path"] == "/v1/chat/completions"
    assert sent["authorization"] == "Bearer sk-birch"
    assert {"x-api-key", "anthropic-version", "anthropic-beta"} <= set(step.remove_headers)
    assert json.loads(step.body or b"")["messages"][0] == {"role": "system", "content": "be brief"}


def test_the_same_api_is_not_translated(mixed: Live) -> None:
    _, first = rewritten(routed(asked(), path=MESSAGES, headers=ECO, live=mixed))
    stage, begun, step = attempt(first, 3, mixed)  # medium, of acorn again
    assert begun == Proceed()
    assert stage.answering is None
    assert rewritten(step)[1].body == (first.body or b"").replace(b"acorn/tiny", b"acorn/medium")


def test_without_a_provider_of_another_api_nothing_is_translated() -> None:
    # What no other API could say is no matter then.
    rewritten(routed(encoded(n=3, whatever=1), live=live()))


def test_what_cannot_be_translated_rules_models_out_and_another_answers(mixed: Live) -> None:
    _, first = rewritten(routed(encoded(n=2), headers=ECO, live=mixed))
    tried = [first.labels.get(f"x-prism-cluster-{number}", "") for number in range(1, 6)]
    assert [name.split("/")[1] for name in tried if name] == ["birch"]


def test_what_cannot_be_translated_for_the_only_model_is_refused_with_its_place(
    mixed: Live,
) -> None:
    found = error_of(routed(encoded(model="tiny", n=2), live=mixed))
    assert found["code"] == "no_eligible_model"
    assert "can't be translated to Anthropic's API: n: " in found["message"]


def test_a_dry_run_tells_what_cannot_be_translated(mixed: Live) -> None:
    body = encoded(n=2, prism={"mode": "eco"})
    step = routed(body, path="/v1/prism/route", live=mixed)
    assert isinstance(step, Reply)
    reasons = json.loads(step.body)["reasons"]
    assert any(r.get("model") == "tiny" and "n: " in r["text"] for r in reasons)


def answered(
    mixed: Live, status: int, headers: dict[str, str], *pieces: bytes, **members: Any
) -> tuple[AnswerTaken | Reply, list[bytes | Reply]]:
    """What the client of a chat request gets of an answer by Anthropic's API."""
    _, first = rewritten(routed(encoded(**members), headers=ECO, live=mixed))
    stage, _, _ = attempt(first, 1, mixed)
    assert stage.answering is not None
    taken = stage.answering.on_headers(AnswerHeaders(status, headers, complete=not pieces))
    if isinstance(taken, Reply):
        return taken, []
    last = len(pieces) - 1
    return taken, [stage.answering.on_body(p, last=n == last) for n, p in enumerate(pieces)]


JSON = {"content-type": "application/json", "content-length": "9", "request-id": "req_1"}


def test_a_whole_answer_comes_back_in_the_client_s_api(mixed: Live) -> None:
    said = {
        "id": "msg_1",
        "type": "message",
        "model": "m",
        "content": [{"type": "text", "text": "hello"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 3, "output_tokens": 1},
    }
    taken, (body,) = answered(mixed, 200, JSON, json.dumps(said).encode())
    assert taken == AnswerTaken((("x-request-id", "req_1"),), ("content-length",), whole=True)
    assert isinstance(body, bytes)
    found = json.loads(body)
    assert found["choices"][0]["message"]["content"] == "hello"
    assert found["created"] == int(ID[:12], 16) // 1000


def test_an_error_comes_back_in_the_client_s_api(mixed: Live) -> None:
    said = b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
    _, (body,) = answered(mixed, 529, JSON, said)
    assert isinstance(body, bytes)
    assert json.loads(body)["error"]["message"] == "Overloaded"


def test_a_stream_comes_back_piece_by_piece(mixed: Live) -> None:
    events = [
        {"type": "message_start", "message": {"id": "m", "usage": {"input_tokens": 3}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": "hello"},
        },
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn"},
            "usage": {"output_tokens": 1},
        },
        {"type": "message_stop"},
    ]
    pieces = [f"event: {e['type']}\ndata: {json.dumps(e)}\n\n".encode() for e in events]
    options = {"include_usage": True}
    head = {"content-type": "text/event-stream; charset=utf-8"}
    taken, bodies = answered(mixed, 200, head, *pieces, stream=True, stream_options=options)
    assert isinstance(taken, AnswerTaken)
    assert not taken.whole
    assert b"hello" in b"".join(b for b in bodies[:3] if isinstance(b, bytes))
    end = bodies[-1]
    assert isinstance(end, bytes)
    assert b'"completion_tokens":1' in end
    assert end.endswith(b"data: [DONE]\n\n")


def test_a_stream_that_ends_too_early_says_so(mixed: Live) -> None:
    _, bodies = answered(mixed, 200, {"content-type": "text/event-stream"}, b"", stream=True)
    assert isinstance(bodies[0], bytes)
    assert b"error" in bodies[0]


@pytest.mark.parametrize(
    ("headers", "body"),
    [(JSON, b"garbage"), (JSON, b"{}"), ({**JSON, "content-encoding": "gzip"}, b"\x1f\x8b")],
)
def test_what_cannot_be_read_is_a_failed_attempt(
    mixed: Live, headers: dict[str, str], body: bytes
) -> None:
    taken, bodies = answered(mixed, 200, headers, body)
    reply = taken if isinstance(taken, Reply) else bodies[0]
    assert isinstance(reply, Reply)
    assert reply.status == 502
    assert error_of(reply)["code"] == "bad_answer"


@pytest.mark.parametrize(
    ("method", "target", "kind", "allowed"),
    [
        ("POST", "/v1/messages", Kind.MESSAGES, True),
        ("POST", "/v1/messages?beta=true", Kind.MESSAGES, True),
        ("GET", "/v1/messages", Kind.MESSAGES, False),
        ("POST", "/v1/messages/count_tokens", Kind.COUNT, True),
        ("POST", "/v1/messages/batches", Kind.OTHER, True),
        ("POST", "/v1/responses", Kind.RESPONSES, True),
        ("GET", "/v1/responses/resp_1", Kind.OTHER, True),
        ("GET", "/v1/responses", Kind.OTHER, True),
    ],
)
def test_endpoints(method: str, target: str, kind: Kind, allowed: bool) -> None:
    found = endpoint_of(method, target)
    assert found.kind is kind
    assert (not found.methods or method in found.methods) is allowed
    assert found.api is (Api.ANTHROPIC if "messages" in target else Api.OPENAI)
    assert found.api is api_of(target.removeprefix(API_ROOT))


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"[]", 400, "not_an_object"),
        (asked(model="nope"), 404, "model_not_found"),
        (asked(messages=[]), 400, "no_messages"),
    ],
)
def test_errors_of_messages_have_anthropic_s_shape(body: bytes, status: int, code: str) -> None:
    step = routed(body, path=MESSAGES, live=live())
    assert isinstance(step, Reply)
    assert step.status == status
    assert messages_error_of(step)["code"] == code


def test_tokens_are_counted_by_who_can(mixed: Live) -> None:
    path = MESSAGES + "/count_tokens"
    _, first = rewritten(routed(asked(), path=path, headers=ECO, live=mixed))
    assert dict(first.set_headers)[":path"] == "/x/v1/messages/count_tokens"
    step = routed(asked(model="small"), path=path, live=mixed)
    assert "OpenAI's API" in messages_error_of(step)["message"]


RESPONSES = "/v1/responses"


def response(**members: Any) -> bytes:
    said = {"model": "auto", "input": "hi", **members}
    return json.dumps(said, separators=(",", ":")).encode()


def test_responses_are_routed_among_models_that_have_them(mixed: Live) -> None:
    # Of eco's cell only "small" could; the tables' other models have every capability.
    body = response(prism={"mode": "sport"})
    headers, first = rewritten(routed(body, path=RESPONSES, live=mixed))
    assert headers[":path"] == "/v1/responses"
    assert first.body == b'{"model":"cedar/huge","input":"hi"}'


def test_a_response_that_goes_on_needs_its_model_named(mixed: Live) -> None:
    body = response(previous_response_id="resp_1")
    found = error_of(routed(body, path=RESPONSES, live=mixed))
    assert (found["code"], found["param"]) == ("bound_to_provider", "previous_response_id")
    named = response(model="small", previous_response_id="resp_1")
    rewritten(routed(named, path=RESPONSES, live=mixed))


def test_a_named_model_of_another_api_has_no_responses(mixed: Live) -> None:
    step = routed(response(model="tiny"), path=RESPONSES, live=mixed)
    assert "Anthropic's API" in error_of(step)["message"]
