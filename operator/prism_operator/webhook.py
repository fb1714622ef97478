"""The validating webhook: a resource is refused where its status would say so, by the same
rules and in the same words as ``prism validate``."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from aiohttp import web

from prism.resources import KINDS, Problem
from prism_operator.admission import Review, review
from prism_operator.metrics import Metrics
from prism_operator.observed import Observed
from prism_operator.settlement import Settlement

log = logging.getLogger(__name__)

PATH = "/validate"
_LARGEST = 8 * 1024 * 1024
"""Bytes of a request: it holds the object twice, before and after."""
_MOST_SHOWN = 50
_LONGEST_WARNING = 240
"""Characters of a warning; Kubernetes asks for less than 256."""

State = Callable[[], tuple[Iterable[Observed], Settlement] | None]
"""What exists and what it came to; ``None`` while that is not known."""


def application(state: State, metrics: Metrics) -> web.Application:
    """The webhook, to be served over TLS."""

    async def validate(request: web.Request) -> web.Response:
        try:
            asked = (await request.json())["request"]
            uid, document = asked["uid"], asked["object"]
        except (json.JSONDecodeError, KeyError, TypeError, UnicodeDecodeError):
            return web.Response(status=400, text="not an AdmissionReview with an object\n")
        if (known := state()) is None:
            # Whether the change goes in is then up to the failurePolicy.
            return web.Response(status=503, text="the resources have not been listed yet\n")
        answer = await _answer(document, *known)
        metrics.admissions.labels(str(answer["allowed"]).lower()).inc()
        return web.json_response(
            {
                "apiVersion": "admission.k8s.io/v1",
                "kind": "AdmissionReview",
                "response": {"uid": uid, **answer},
            }
        )

    made = web.Application(client_max_size=_LARGEST)
    made.router.add_post(PATH, validate)
    return made


async def _answer(
    document: Any, observed: Iterable[Observed], settled: Settlement
) -> dict[str, Any]:
    if not isinstance(document, dict) or document.get("kind") not in KINDS:
        return {"allowed": True}  # a deletion, or a kind that is not ours
    found = await asyncio.to_thread(review, document, observed, settled)
    warnings = [_cut(_line(p)) for p in found.problems if not p.is_error][:_MOST_SHOWN]
    answer: dict[str, Any] = {"allowed": found.allowed, "warnings": warnings}
    if not found.allowed:
        answer["status"] = _refusal(document, found)
        log.info("refused: %s", answer["status"]["message"])
    return answer


def _refusal(document: Mapping[str, Any], found: Review) -> dict[str, Any]:
    """Everything that is wrong, one line each, as a Status that kubectl prints."""
    errors = [_line(problem) for problem in found.problems if problem.is_error]
    shown = errors[:_MOST_SHOWN]
    if len(errors) > len(shown):
        shown.append(f"and {len(errors) - len(shown)} more; prism validate shows all")
    name = document.get("metadata", {}).get("name", "")
    return {
        "code": 422,
        "reason": "Invalid",
        "message": f"{document['kind']}/{name}:\n" + "\n".join(f"  {line}" for line in shown),
    }


def _line(problem: Problem) -> str:
    return f"{problem.path}: {problem.message}" if problem.path else problem.message


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_WARNING else text[: _LONGEST_WARNING - 1] + "…"
