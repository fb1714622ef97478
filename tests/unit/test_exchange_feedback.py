"""``POST /v1/prism/feedback``: what is read, what is refused, what is answered."""

from __future__ import annotations

import json
from typing import Any

import pytest

from prism.exchange.feedback import Kept, read_feedback
from prism.exchange.route import RouteStage
from prism.exchange.steps import Proceed, Reply, RequestHeaders, Step, Submit
from prism.prompt.document import BadBody
from prism.routing.decide import Health
from prism.routing.feedback import Feedback

from .stages import live

ID = "019b" + "0" * 24


def body(**members: Any) -> bytes:
    return json.dumps({"decision_id": ID, **members}).encode()


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"score": 0.25}, Feedback(ID, 0.25)),
        ({"score": 1}, Feedback(ID, 1.0)),
        ({"thumbs": "up"}, Feedback(ID, 1.0)),
        ({"thumbs": "down", "comment": "no 🙈"}, Feedback(ID, 0.0, comment="no 🙈")),
        (
            {"score": 0, "id": "a:b.c-1", "labels": {"by": "x"}},
            Feedback(ID, 0, "a:b.c-1", None, {"by": "x"}),
        ),
    ],
)
def test_feedback_is_read(members: dict[str, Any], said: Feedback) -> None:
    assert read_feedback(body(**members)) == said


@pytest.mark.parametrize(
    ("members", "says", "param"),
    [
        ({}, "either 'score'", None),
        ({"score": 1, "thumbs": "up"}, "either 'score'", None),
        ({"score": 1.01}, "<= 1", "score"),
        ({"score": -1}, ">= 0", "score"),
        ({"score": True}, "Expected `float", "score"),
        ({"score": "1"}, "Expected `float", "score"),
        ({"thumbs": "sideways"}, "Invalid enum value 'sideways'", "thumbs"),
        ({"score": 1, "comment": "x" * 4001}, "length <= 4000", "comment"),
        ({"score": 1, "labels": {"x" * 101: "y"}}, "length", "labels"),
        ({"score": 1, "labels": {str(n): "y" for n in range(17)}}, "length <= 16", "labels"),
        ({"score": 1, "labels": {"a": 1}}, "Expected `str`", "labels"),
        ({"score": 1, "id": "two words"}, "matching regex", "id"),
        ({"score": 1, "commment": "typo"}, "unknown field `commment`", None),
        ({"score": 1, "decision_id": ""}, "length >= 1", "decision_id"),
    ],
)
def test_bad_feedback_is_refused_by_name(
    members: dict[str, Any], says: str, param: str | None
) -> None:
    with pytest.raises(BadBody) as caught:
        read_feedback(body(**members))
    assert says in caught.value.message
    assert caught.value.code == "invalid_feedback"
    if param is not None:
        assert caught.value.param == param


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"", "empty_body"),
        (b"{", "invalid_json"),
        (b'{"decision_id": "x", "score": 1, "score": 0}', "duplicate_key"),
        (b"[]", "invalid_json"),
        (b'{"score": 1}', "invalid_feedback"),
    ],
)
def test_bad_bodies_are_refused_as_everywhere(text: bytes, code: str) -> None:
    with pytest.raises(BadBody) as caught:
        read_feedback(text)
    assert caught.value.code in {code, "not_an_object"}


def stage(**headers: str) -> tuple[RouteStage, Step]:
    made = RouteStage(live(), Health(), ID)
    asked = {":method": "POST", ":path": "/v1/prism/feedback", **headers}
    return made, made.on_headers(RequestHeaders(asked, complete=False))


def test_the_stage_hands_feedback_on_with_its_project() -> None:
    made, step = stage()
    assert isinstance(step, Proceed)
    step = made.on_body(body(score=1))
    assert isinstance(step, Submit)
    assert step == Submit(Feedback(ID, 1.0), None)
    reply = made.on_submitted(step, Kept.KEPT)
    assert reply.status == 200
    assert json.loads(reply.body) == {
        "object": "prism.feedback",
        "decision_id": ID,
        "id": "default",
        "score": 1.0,
        "comment": None,
        "labels": {},
    }
    assert made.routed is None


@pytest.mark.parametrize(
    ("kept", "status", "code"),
    [
        (Kept.UNKNOWN, 404, "decision_not_found"),
        (Kept.NOWHERE, 404, "feedback_not_kept"),
        (Kept.TOO_OFTEN, 429, "rate_limit_exceeded"),
        (Kept.AWAY, 503, "ledger_unavailable"),
    ],
)
def test_what_is_not_kept_is_an_error(kept: Kept, status: int, code: str) -> None:
    made, _ = stage()
    step = made.on_body(body(score=1))
    assert isinstance(step, Submit)
    reply = made.on_submitted(step, kept)
    assert (reply.status, json.loads(reply.body)["error"]["code"]) == (status, code)
    assert (("retry-after", "1") in reply.headers) == (status in (429, 503))


def test_bad_feedback_is_answered_at_the_stage() -> None:
    made, _ = stage()
    reply = made.on_body(b"{}")
    assert isinstance(reply, Reply)
    assert reply.status == 400
