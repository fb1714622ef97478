"""The attempt stage: a further attempt, from the first one's request to the next target's.

It keeps nothing from the route stage: what it needs came along in headers, and the target
is found by the name of the cluster that Envoy is about to use. It is also where attempts end
that there is no time for, or no room in the table's budget.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from prism.exchange import headers as names
from prism.exchange.answering import Answering
from prism.exchange.endpoints import api_of
from prism.exchange.errors import error
from prism.exchange.rewriting import rewrite_attempt, rewrite_translated
from prism.exchange.steps import Proceed, Reply, RequestHeaders, Step
from prism.exchange.targets import NONE_RESTS, Live, Resting, Target
from prism.exchange.translation import request_for
from prism.routing.catalog import Api, Table
from prism.translate import Untranslatable

_SPAN = re.compile("([0-9]{1,12})-([0-9]{1,12})")
_BAD_SPAN = (-1, -1)
_ID = re.compile("[0-9a-f]{28}")
_ID_TIME = 12
"""Digits of a decision's id that are its time, in milliseconds since the epoch."""
_DIGITS = re.compile("[0-9]{1,9}")
_SPENT = (
    "The model that was tried failed, and so many requests fail just now that no other one is "
    "tried. Try again in a moment."
)
Take = Callable[[Table], bool]
"""Takes one further attempt from a table's budget; false where none is left."""


class AttemptStage:
    """One attempt after the first, or one that is translated: ``answering`` then takes its
    answer. ``now_ms`` is the time (milliseconds since the epoch).

    ``ended`` says why the attempt was not made, where deadline or budget forbade it.
    """

    __slots__ = (
        "_again",
        "_api",
        "_live",
        "_now_ms",
        "_path",
        "_resting",
        "_span",
        "_take",
        "_target",
        "_timeout_ms",
        "answering",
        "decision_id",
        "ended",
    )

    def __init__(self, live: Live, now_ms: int, take: Take, resting: Resting = NONE_RESTS) -> None:
        self._live = live
        self._now_ms = now_ms
        self._take = take
        self._resting = resting
        self._target: Target
        self._again = 0
        self._path = ""
        self._api = Api.OPENAI
        self.answering: Answering | None = None
        self._span: tuple[int, int] | None = None
        self._timeout_ms: int | None = None
        self.decision_id = ""
        self.ended: str | None = None

    @property
    def cluster(self) -> str:
        """Where this attempt goes."""
        return self._target.cluster

    def on_headers(self, event: RequestHeaders) -> Step:
        """Find the target of this attempt."""
        headers = event.headers
        number = headers.get(names.ENVOY_ATTEMPT_COUNT, "")
        cluster = headers.get(names.CLUSTER_PREFIX + number, "")
        target = self._live.clusters.get(cluster)
        span = _span(headers.get(names.MODEL_SPAN))
        self.decision_id = headers.get(names.DECISION_ID, "")
        self._path = headers.get(names.API_PATH, "")
        self._api = api_of(self._path)
        if target is None or target.missing_key is not None or span is _BAD_SPAN:
            return _gone(self.decision_id, number, self._api)
        if (reply := self._bounded(headers, number)) is not None:
            return reply
        self._target = target
        self._again = _again(headers, number, cluster)
        self._span = span
        if not event.complete:
            return Proceed(answer=target.api is not self._api)
        return self._rewrite(None)

    def on_body(self, body: bytes) -> Step:
        """Write path, key and model name of this attempt's target, and its API."""
        if self._target.api is self._api:
            return self._rewrite(body)
        return self._translate(body)

    def _translate(self, body: bytes) -> Step:
        target = self._target
        try:
            translated = request_for(target.api, body, target.upstream_name)
        except Untranslatable as problem:
            # The decision rules this out, unless the table has changed since.
            message = f"The request can't be translated for {target.model!r}: {problem}"
            return error(
                400, "not_translatable", message, decision_id=self.decision_id, api=self._api
            )
        self.answering = Answering(self._api, body, self.decision_id)
        return rewrite_translated(
            target,
            translated,
            decision_id=self.decision_id,
            timeout_ms=self._timeout_ms,
            resting=self._resting,
            again=self._again,
        )

    def _bounded(self, headers: Mapping[str, str], number: str) -> Reply | None:
        """Give the attempt what is left of the time for all, or say why it is not made.

        A table that is gone bounds nothing more; what races has bounds of its own.
        """
        table = self._live.plan.tables.get(headers.get(names.TABLE, ""))
        if table is None:
            return None
        raced = headers.get(names.ATTEMPT_TIMEOUT_MS, "")
        if _ID.fullmatch(self.decision_id):
            began_ms = int(self.decision_id[:_ID_TIME], 16)
            total_s = table.retry.total_timeout_s
            # A clock that was set back gives nobody more time.
            left_ms = round(total_s * 1000) - max(0, self._now_ms - began_ms)
            if left_ms <= 0:
                self.ended = f"no answer began within {total_s:g} s"
                message = f"Every model that was tried failed or was slow: {self.ended}."
                return self._last(504, "deadline_exceeded", message)
            self._timeout_ms = min(left_ms, int(raced)) if _DIGITS.fullmatch(raced) else left_ms
        # A translated first attempt is none of the further ones that the budget is for.
        if not raced and number != "1" and not self._take(table):
            self.ended = "retry budget spent"
            return self._last(503, "retry_budget_spent", _SPENT)
        return None

    def _last(self, status: int, code: str, message: str) -> Reply:
        """An error after which Envoy makes no further attempt."""
        reply = error(status, code, message, decision_id=self.decision_id, api=self._api)
        ends = ((names.ENVOY_RATELIMITED, "true"), (names.RETRY_AFTER, "1"))
        return Reply(reply.status, (*reply.headers, *ends), reply.body)

    def _rewrite(self, body: bytes | None) -> Step:
        return rewrite_attempt(
            self._target,
            path=self._path,
            body=body,
            span=self._span,
            decision_id=self.decision_id,
            timeout_ms=self._timeout_ms,
            resting=self._resting,
            again=self._again,
        )


def _again(headers: Mapping[str, str], number: str, cluster: str) -> int:
    """How many attempts before this one went to the same cluster."""
    earlier = map(names.cluster_header, range(1, int(number)))
    return [headers.get(name) for name in earlier].count(cluster)


def _span(text: str | None) -> tuple[int, int] | None:
    """What the route stage wrote; anything else, which no client can send past Envoy, is bad."""
    if text is None:
        return None
    found = _SPAN.fullmatch(text)
    return _BAD_SPAN if found is None else (int(found[1]), int(found[2]))


def _gone(decision_id: str, number: str, api: Api) -> Reply:
    """503, which Envoy takes as a failed attempt and goes on to the next."""
    message = f"The model of attempt {number} was taken out of the table meanwhile."
    return error(503, "model_gone", message, decision_id=decision_id, api=api)
