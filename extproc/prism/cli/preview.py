"""Decides a request as the gateway would, without one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prism.exchange.route import RouteStage
from prism.exchange.steps import Classify, Proceed, Reply, RequestHeaders, Step
from prism.exchange.targets import Live, compile_live
from prism.routing.catalog import Policy
from prism.routing.decide import Health
from prism.routing.plan import Plan, compile_plan

if TYPE_CHECKING:
    from prism.classify import Classifier

_ID = "0" * 28
"""Nobody will ask for this decision again."""
_KEY = "the key of whoever is asked for"


class Unanswerable(ValueError):
    """The request can't be decided: the configuration is broken, or the gateway would refuse it."""


def preview(
    config: Path,
    body: bytes,
    headers: Mapping[str, str],
    project: str | None,
    classifier: Classifier,
) -> dict[str, Any]:
    """What ``POST /v1/prism/route`` would answer under the resources in ``config``, for the
    ``project`` or for whom ``headers`` name (lower case)."""
    live = _live(config)
    asked = {":method": "POST", ":path": "/v1/prism/route", **headers}
    if project is not None:
        live = replace(live, plan=_known_by_key(live.plan, project))
        asked["authorization"] = f"Bearer {_KEY}"
    stage = RouteStage(live, Health(), _ID)
    step: Step = stage.on_headers(RequestHeaders(asked, complete=False))
    if isinstance(step, Proceed):
        step = stage.on_body(body)
    if isinstance(step, Classify):
        step = stage.on_classified(classifier.classify(step.text), None)
    if not isinstance(step, Reply):
        raise AssertionError("a dry run ends with an answer")
    answer: dict[str, Any] = json.loads(step.body)
    if step.status != 200:
        error = answer["error"]
        said = f"{step.status} {error['code']}: {error['message']}"
        raise Unanswerable(f"the gateway would answer {said}")
    return answer


def _live(config: Path) -> Live:
    from prism.serve.folder import load
    from prism.serve.source import BrokenConfiguration

    try:
        offer = load(config)
    except BrokenConfiguration as broken:
        raise Unanswerable(f"{config} can't be used:\n{broken}") from None
    return compile_live(compile_plan(offer.catalog), offer.catalog, {})


def _known_by_key(plan: Plan, project: str) -> Plan:
    """The plan with one more key, which is that of ``project``."""
    from hashlib import sha256

    policy: Policy | None = plan.by_project.get(project)
    if policy is None:
        names = ", ".join(sorted(plan.by_project)) or "none"
        raise Unanswerable(f"no policy names the project {project!r}; there are: {names}")
    return replace(plan, by_key={**plan.by_key, sha256(_KEY.encode()).hexdigest(): policy})
