"""The control endpoints under ``/_control/``: switch faults, read what was received."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import web

from prism.providers.fault import FaultKind, Faults, parse_fault
from prism.providers.received import KEPT, Journal, ReceivedRequest
from prism.providers.spec import ProviderSpec

ROOT = "/_control"
_KINDS = "|".join(FaultKind)
_INDEX = f"""\
Simulated providers: control

PUT    /_control/faults/PROVIDER   switch a fault on. The body is JSON:
                                   {{"kind": "{_KINDS}",
                                    "status": 503, "retry_after": 2, "message": "...",
                                    "delay_ms": 0, "between_ms": 0, "after_chunks": 1,
                                    "times": 3, "probability": 1.0, "model": "..."}}
                                   Only kind is required; one fault per provider and model.
GET    /_control/faults            the faults that are on
DELETE /_control/faults            switch every fault off
DELETE /_control/faults/PROVIDER   switch a provider's faults off
GET    /_control/requests?limit=N  the latest requests, oldest first ({KEPT} are kept)
DELETE /_control/requests          forget them
"""


class Control:
    """Answers the control endpoints. They show whole requests, keys included."""

    def __init__(self, specs: Mapping[str, ProviderSpec], faults: Faults, journal: Journal) -> None:
        self._specs = specs
        self._faults = faults
        self._journal = journal

    async def handle(self, request: web.BaseRequest) -> web.Response:
        """Answer a request whose path begins with ``ROOT``."""
        what, _, provider = request.path.removeprefix(ROOT).strip("/").partition("/")
        if provider and provider not in self._specs:
            return _problem(404, f"no provider {provider!r}; there are {', '.join(self._specs)}")
        match request.method, what, bool(provider):
            case "GET", "", False:
                return web.Response(text=_INDEX)
            case "GET", "faults", False:
                return _json(200, self._faults.on)
            case "PUT", "faults", True:
                return self._switch_on(provider, await request.read())
            case "DELETE", "faults", _:
                self._faults.clear(provider or None)
                return web.Response(status=204)
            case "GET", "requests", False:
                return self._requests(request.query.get("limit", str(KEPT)))
            case "DELETE", "requests", False:
                self._journal.clear()
                return web.Response(status=204)
        return _problem(404, f"no {request.method} {request.path}; GET {ROOT}/ lists what there is")

    def _switch_on(self, provider: str, document: bytes) -> web.Response:
        try:
            fault = parse_fault(document)
        except ValueError as problem:
            return _problem(400, str(problem))
        self._faults.switch_on(provider, fault)
        return _json(200, fault)

    def _requests(self, limit: str) -> web.Response:
        if not limit.isascii() or not limit.isdigit():
            return _problem(400, f"limit is a number, not {limit!r}")
        requests = self._journal.requests
        latest = requests[max(0, len(requests) - int(limit)) :]
        return _json(200, {"requests": [_shown(each) for each in latest]})


def _shown(request: ReceivedRequest) -> dict[str, Any]:
    """A request as JSON: ``body`` is text, or ``bodyBase64`` where it is not UTF-8."""
    shown = {
        "provider": request.provider,
        "method": request.method,
        "path": request.path,
        "headers": request.headers,
        "model": request.model,
        "startedAt": request.started_at,
        "finishedAt": request.finished_at,
        "status": request.status,
        "fault": request.fault,
        "cancelled": request.cancelled,
    }
    try:
        return {**shown, "body": request.body.decode()}
    except UnicodeDecodeError:
        return {**shown, "bodyBase64": base64.b64encode(request.body).decode()}


def _json(status: int, value: object) -> web.Response:
    body = msgspec.json.encode(value)
    return web.Response(status=status, body=body, content_type="application/json")


def _problem(status: int, message: str) -> web.Response:
    return _json(status, {"error": {"message": message}})
