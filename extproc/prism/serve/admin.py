"""The admin endpoints: liveness, readiness, configuration, recent decisions. Off the data port."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
import msgspec
from aiohttp import web

from prism.serve.ads import Ads
from prism.serve.budget_metrics import budget_metrics
from prism.serve.envoy_admin import EnvoyAdmin
from prism.serve.learning import Learning
from prism.serve.processor import Processor
from prism.serve.recent import Recent
from prism.telemetry import prometheus
from prism.telemetry.metric import Family

_MOST = 1000


@dataclass(frozen=True, slots=True)
class Admin:
    """What the endpoints show. ``more`` adds to the status what other parts know,
    ``metrics`` reads Prism's own."""

    processor: Processor
    ads: Ads
    recent: Recent
    learning: Learning
    envoy: EnvoyAdmin
    more: Sequence[Callable[[], dict[str, Any]]]
    metrics: Callable[[], Sequence[Family]]

    def application(self) -> web.Application:
        """The web application; paths are listed at ``/``."""
        app = web.Application()
        app.router.add_get("/healthz", self._alive)
        app.router.add_get("/readyz", self._ready)
        app.router.add_get("/status", self._status)
        app.router.add_get("/decisions", self._decisions)
        app.router.add_get("/decisions/{id}", self._decision)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/envoy/metrics", self._envoy_metrics)
        app.router.add_get("/budgets", self._budgets)
        app.router.add_get("/budgets/metrics", self._budget_metrics)
        app.router.add_get("/", self._index)
        return app

    async def _index(self, _: web.Request) -> web.Response:
        paths = "/healthz /readyz /status /decisions?limit=N /decisions/ID /metrics /envoy/metrics"
        paths += " /budgets /budgets/metrics"
        return web.Response(text=paths.replace(" ", "\n") + "\n")

    async def _alive(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _ready(self, _: web.Request) -> web.Response:
        if self.processor.live is None:
            return web.Response(status=503, text="no configuration is live yet\n")
        if not self.ads.acknowledged.is_set():
            return web.Response(status=503, text="no Envoy has acknowledged its routes yet\n")
        if not await self.envoy.listening():
            return web.Response(status=503, text="Envoy does not take connections yet\n")
        return web.Response(text="ready\n")

    def status(self) -> dict[str, Any]:
        """What ``/status`` says."""
        live = self.processor.live
        return {
            "planVersion": None if live is None else live.version,
            "envoys": self.ads.connected,
            **self.learning.status({} if live is None else live.clusters),
            "outcomesJoined": self.recent.joined,
            "outcomesLost": self.recent.lost,
            **self.processor.races.status(),
            **self.processor.budgets.status(),
            "conversations": len(self.processor.conversations),
            **{name: value for part in self.more for name, value in part().items()},
        }

    async def _status(self, _: web.Request) -> web.Response:
        return _json(self.status())

    async def _metrics(self, request: web.Request) -> web.Response:
        families, accept = self.metrics(), request.headers.get("accept", "")
        # Off the event loop: requests must not wait for a thousand lines.
        body, content_type = await asyncio.to_thread(prometheus.text, families, accept)
        return web.Response(body=body, headers={"content-type": content_type})

    async def _envoy_metrics(self, _: web.Request) -> web.Response:
        try:
            text = await self.envoy.get("/stats/prometheus")
        except (aiohttp.ClientError, OSError, TimeoutError):
            return web.Response(status=503, text="Envoy's admin interface does not answer\n")
        return web.Response(text=text, content_type="text/plain", charset="utf-8")

    async def _budgets(self, _: web.Request) -> web.Response:
        return _json(self.processor.spending.status())

    async def _budget_metrics(self, _: web.Request) -> web.Response:
        text = budget_metrics(self.processor.spending.status())
        return web.Response(text=text, content_type="text/plain", charset="utf-8")

    async def _decisions(self, request: web.Request) -> web.Response:
        text = request.query.get("limit", "20")
        if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= _MOST:
            return web.Response(status=400, text=f"limit must be 1 to {_MOST}\n")
        return _json([record.to_json_dict() for record in self.recent.newest(int(text))])

    async def _decision(self, request: web.Request) -> web.Response:
        record = self.recent.get(request.match_info["id"])
        if record is None:
            return web.Response(status=404, text="this decision is not among the recent ones\n")
        return _json(record.to_json_dict())


def _json(value: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")
