"""``POST /v1/prism/feedback``: what is read of it, and what it is answered."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from prism.exchange.errors import error, json_reply
from prism.exchange.headers import RETRY_AFTER
from prism.exchange.steps import Reply
from prism.prompt.document import BadBody, read
from prism.routing.feedback import Feedback

MOST_COMMENT = 4000
"""Characters of a comment."""
MOST_LABELS = 16
_Label = Annotated[str, Meta(min_length=1, max_length=100)]
_THUMBS = {"up": 1.0, "down": 0.0}


class Kept(StrEnum):
    """What became of feedback."""

    KEPT = "kept"
    UNKNOWN = "unknown"
    """No decision of this project has that id."""
    TOO_OFTEN = "too often"
    AWAY = "away"
    """The ledger can't be written just now."""
    NOWHERE = "nowhere"
    """There is no ledger."""


class _Thumbs(StrEnum):
    UP = "up"
    DOWN = "down"


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    decision_id: Annotated[str, Meta(min_length=1, max_length=64)]
    score: Annotated[float, Meta(ge=0, le=1)] | None = None
    thumbs: _Thumbs | None = None
    comment: Annotated[str, Meta(max_length=MOST_COMMENT)] | None = None
    labels: Annotated[dict[_Label, _Label], Meta(max_length=MOST_LABELS)] | None = None
    id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._:-]{1,64}$")] = "default"


_MEMBER = re.compile(r"\$\.(\w+)")
_BODY = msgspec.json.Decoder(_Body)


def read_feedback(body: bytes) -> Feedback:
    """The feedback of a request's body; raises ``BadBody``."""
    read(body)
    try:
        said = _BODY.decode(body)
    except msgspec.ValidationError as bad:
        text, _, path = str(bad).partition(" - at `")
        found = _MEMBER.search(path)
        param = None if found is None else found[1]
        where = f" (in {param!r})" if param else ""
        raise BadBody("invalid_feedback", f"This is no feedback: {text}{where}.", param) from None
    if (said.score is None) == (said.thumbs is None):
        raise BadBody("invalid_feedback", "Give either 'score' (0 to 1) or 'thumbs' (up or down).")
    score = said.score if said.thumbs is None else _THUMBS[said.thumbs]
    return Feedback(said.decision_id, score or 0.0, said.id, said.comment, said.labels)


def feedback_answer(said: Feedback, kept: Kept, decision_id: str) -> Reply:
    """``decision_id`` is that of the request that brought the feedback."""
    if kept is Kept.KEPT:
        answer = {
            "object": "prism.feedback",
            "decision_id": said.decision_id,
            **said.to_json_dict(),
        }
        return json_reply(200, msgspec.json.encode(answer), decision_id)
    if kept is Kept.UNKNOWN:
        message = (
            f"No decision {said.decision_id!r} was made for your project, or it is no longer kept. "
            "Send the X-Prism-Decision-Id of an answer."
        )
        return error(
            404, "decision_not_found", message, decision_id=decision_id, param="decision_id"
        )
    if kept is Kept.NOWHERE:
        message = "This gateway keeps no ledger, so it takes no feedback."
        return error(404, "feedback_not_kept", message, decision_id=decision_id)
    if kept is Kept.TOO_OFTEN:
        message = "Your project gives feedback too often; wait a second."
        return _again(error(429, "rate_limit_exceeded", message, decision_id=decision_id))
    message = "Feedback can't be kept just now; send it again, it is counted once."
    return _again(error(503, "ledger_unavailable", message, decision_id=decision_id))


def _again(reply: Reply) -> Reply:
    return Reply(reply.status, (*reply.headers, (RETRY_AFTER, "1")), reply.body)
