"""Endpoints for the kubelet and for Prometheus: /healthz, /readyz, /metrics."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from prism_operator.metrics import Metrics

NotReady = Callable[[], str]
"""Why this replica of the operator is not ready; empty when it is."""


def application(metrics: Metrics, not_ready: NotReady) -> web.Application:
    """Liveness asks whether the event loop turns, and nothing of the API server: a restart
    would not bring that back. A standby is ready, too."""

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        why = not_ready()
        return web.Response(text=f"{why or 'ok'}\n", status=503 if why else 200)

    async def measures(_: web.Request) -> web.Response:
        return web.Response(
            body=metrics.text(), headers={"Content-Type": "text/plain; version=0.0.4"}
        )

    made = web.Application()
    made.router.add_get("/healthz", healthz)
    made.router.add_get("/readyz", readyz)
    made.router.add_get("/metrics", measures)
    return made
