"""The answers that Prism gives itself: the model list and the dry run."""

from __future__ import annotations

from typing import Any

import msgspec

from prism.exchange.errors import error, json_reply
from prism.exchange.routed import Routed
from prism.exchange.steps import Reply
from prism.routing.catalog import Model
from prism.routing.explanation import explanation
from prism.routing.identify import Caller
from prism.routing.other import Other
from prism.routing.plan import Plan


def models(plan: Plan, caller: Caller, decision_id: str) -> Reply:
    """``GET /v1/models``: the auto names, then every model that the caller may use."""
    data = [_auto_object(name) for name in sorted(caller.table.auto_names)]
    scope = plan.scope(caller.table, caller.policy)
    if caller.policy is None or caller.policy.allow_pins:
        data += [_model_object(model) for model in scope.models.values()]
    listed: dict[str, Any] = {"object": "list", "data": data, "has_more": False}
    if data:
        listed |= {"first_id": data[0]["id"], "last_id": data[-1]["id"]}
    return json_reply(200, msgspec.json.encode(listed), decision_id)


def model(plan: Plan, caller: Caller, name: str, decision_id: str) -> Reply:
    """``GET /v1/models/NAME``."""
    if name in caller.table.auto_names:
        return json_reply(200, msgspec.json.encode(_auto_object(name)), decision_id)
    found = plan.scope(caller.table, caller.policy).models.get(name)
    if found is None or not (caller.policy is None or caller.policy.allow_pins):
        message = f"The model {name[:100]!r} does not exist or may not be used with this key."
        return error(404, "model_not_found", message, decision_id=decision_id, param="model")
    return json_reply(200, msgspec.json.encode(_model_object(found)), decision_id)


def bad_headers(decision_id: str) -> Reply:
    """For a request with a header that can't be read."""
    message = "A header of this request is not UTF-8."
    return error(400, "invalid_header", message, decision_id=decision_id)


def dry_run(routed: Routed, other: Other | None, version: str, decision_id: str) -> Reply:
    """``POST /v1/prism/route``: the decision with its reasons, also when it is a refusal."""
    decision, known = routed.decision, routed.classification
    answer = explanation(decision_id, version, decision, known, routed.trial, other)
    return json_reply(200, msgspec.json.encode(answer), decision_id)


def _auto_object(name: str) -> dict[str, Any]:
    return _described(name, "prism", None)


def _model_object(model: Model) -> dict[str, Any]:
    return _described(model.name, model.provider, model.context_length)


def _described(name: str, owner: str, context_length: int | None) -> dict[str, Any]:
    """A model in the words of both APIs, whose clients ask at the same path and pass over what
    they don't know. Both expect to hear when it was made; nobody knows, so it is the epoch."""
    return {
        "id": name,
        "object": "model",
        "created": 0,
        "owned_by": owner,
        "type": "model",
        "display_name": name,
        "created_at": "1970-01-01T00:00:00Z",
        "lifecycle": "active",
        "max_input_tokens": context_length,
    }
