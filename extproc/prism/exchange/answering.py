"""The answer of one attempt at a provider that does not speak the client's API."""

from __future__ import annotations

from prism.exchange.errors import error
from prism.exchange.steps import AnswerHeaders, AnswerTaken, Reply
from prism.exchange.translation import answer_for, other, stream_for
from prism.routing.catalog import Api
from prism.translate import AnthropicStream, OpenAiStream, Untranslatable

_REQUEST_ID = {Api.OPENAI: "x-request-id", Api.ANTHROPIC: "request-id"}
"""The header that tells the id of a request at its provider."""


class Answering:
    """Headers, then the body: in one piece, or piece by piece where it is a stream.

    What can't be read counts as a failed attempt (502), so that the next model may answer; but
    for streams, whose headers are out by then: they end with an error of their own. ``unread``
    says that it was so; Envoy's log of attempts has only the provider's ``status``.
    """

    __slots__ = ("_api", "_decision_id", "_request", "_stream", "status", "unread")

    def __init__(self, api: Api, request: bytes, decision_id: str) -> None:
        """``api`` is the client's, ``request`` what it sent."""
        self._api = api
        self._request = request
        self._decision_id = decision_id
        self.status = 0
        self._stream: OpenAiStream | AnthropicStream | None = None
        self.unread = False

    def on_headers(self, event: AnswerHeaders) -> AnswerTaken | Reply:
        """See what comes, and how it is to come."""
        headers = event.headers
        self.status = event.status
        if (encoding := headers.get("content-encoding", "identity")) != "identity":
            return self._bad(f"it is compressed ({encoding[:40]!r}), which nobody asked for")
        if "text/event-stream" in headers.get("content-type", "").lower():
            self._stream = stream_for(self._api, self._request, self._created())
        theirs = headers.get(_REQUEST_ID[other(self._api)])
        named = () if theirs is None else ((_REQUEST_ID[self._api], theirs),)
        return AnswerTaken(named, ("content-length",), whole=self._stream is None)

    def on_body(self, body: bytes, *, last: bool) -> bytes | Reply:
        """The body, or a piece of it, in the client's API."""
        stream = self._stream
        if stream is not None:
            return stream.feed(body) + (stream.close() if last else b"")
        try:
            return answer_for(self._api, body, self.status, self._created())
        except Untranslatable as problem:
            return self._bad(str(problem))

    def _created(self) -> int:
        """Seconds since the epoch: a decision's id begins with its time, in milliseconds."""
        return int(self._decision_id[:12] or "0", 16) // 1000

    def _bad(self, why: str) -> Reply:
        self.unread = True
        message = f"The provider's answer can't be translated: {why}"
        return error(502, "bad_answer", message, decision_id=self._decision_id, api=self._api)
