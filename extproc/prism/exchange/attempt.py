"""The attempt stage: a further attempt, from the first one's request to the next target's.

It keeps nothing from the route stage: what it needs came along in headers, and the target
is found by the name of the cluster that Envoy is about to use.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from prism.exchange import headers as names
from prism.exchange.errors import error
from prism.exchange.rewriting import rewrite_attempt
from prism.exchange.steps import Proceed, Reply, RequestHeaders, Step
from prism.exchange.targets import NONE_RESTS, Live, Resting, Target

_SPAN = re.compile("([0-9]{1,12})-([0-9]{1,12})")
_BAD_SPAN = (-1, -1)


class AttemptStage:
    """One attempt after the first."""

    __slots__ = ("_again", "_decision_id", "_live", "_path", "_resting", "_span", "_target")

    def __init__(self, live: Live, resting: Resting = NONE_RESTS) -> None:
        self._live = live
        self._resting = resting
        self._target: Target
        self._again = 0
        self._decision_id = ""
        self._path = ""
        self._span: tuple[int, int] | None = None

    def on_headers(self, event: RequestHeaders) -> Step:
        """Find the target of this attempt."""
        headers = event.headers
        number = headers.get(names.ENVOY_ATTEMPT_COUNT, "")
        cluster = headers.get(names.CLUSTER_PREFIX + number, "")
        target = self._live.clusters.get(cluster)
        span = _span(headers.get(names.MODEL_SPAN))
        self._decision_id = headers.get(names.DECISION_ID, "")
        if target is None or target.missing_key is not None or span is _BAD_SPAN:
            return _gone(self._decision_id, number)
        self._target = target
        self._again = _again(headers, number, cluster)
        self._path = headers.get(names.API_PATH, "")
        self._span = span
        if not event.complete:
            return Proceed()
        return self._rewrite(None)

    def on_body(self, body: bytes) -> Step:
        """Write path, key and model name of this attempt's target."""
        return self._rewrite(body)

    def _rewrite(self, body: bytes | None) -> Step:
        return rewrite_attempt(
            self._target,
            path=self._path,
            body=body,
            span=self._span,
            decision_id=self._decision_id,
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


def _gone(decision_id: str, number: str) -> Reply:
    """503, which Envoy takes as a failed attempt and goes on to the next."""
    message = f"The model of attempt {number} was taken out of the table meanwhile."
    return error(503, "model_gone", message, decision_id=decision_id)
