"""Readiness: a plan, Envoy's word that it has its routes, and Envoy taking connections."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from prism.exchange.targets import Live, compile_live
from prism.routing.plan import compile_plan
from prism.serve.admin import Admin
from prism.serve.ads import Ads
from prism.serve.envoy_admin import EnvoyAdmin
from prism.serve.learning import Learning
from prism.serve.recent import Recent

from .tables import catalog

STAT = "listener_manager.workers_started: "


class Envoy:
    """Envoy's admin interface, as far as it is asked; ``answer`` is what it says of its workers."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.answer = ""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        app = web.Application()
        app.router.add_get("/stats", self._stats)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.UnixSite(runner, str(self.socket)).start()
        try:
            yield
        finally:
            await runner.cleanup()

    async def _stats(self, request: web.Request) -> web.Response:
        assert request.query["filter"] == "^listener_manager.workers_started$"
        return web.Response(text=self.answer)


@asynccontextmanager
async def asked(admin: Admin) -> AsyncIterator[str]:
    """The admin endpoints, served; gives the URL of readiness."""
    runner = web.AppRunner(admin.application())
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/readyz"
    finally:
        await runner.cleanup()


async def ready(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, await answer.text()


class Nothing:
    """A processor as far as readiness asks: it has a plan, or none yet."""

    live: Live | None = None


@pytest.fixture
def admin(tmp_path_factory: pytest.TempPathFactory) -> Admin:
    processor: Any = Nothing()
    envoy = EnvoyAdmin(tmp_path_factory.mktemp("r") / "a.sock")
    learning = Learning.beginning(time.monotonic)
    return Admin(processor, Ads(), Recent(), learning, envoy, (), tuple)


async def test_ready_is_said_last(admin: Admin) -> None:
    async with asked(admin) as url:
        assert await ready(url) == (503, "no configuration is live yet\n")
        made = catalog()
        admin.processor.live = compile_live(compile_plan(made), made, {})
        assert await ready(url) == (503, "no Envoy has acknowledged its routes yet\n")
        admin.ads.acknowledged.set()
        envoy = Envoy(admin.envoy._socket)
        async with envoy.serving():
            for answer in (f"{STAT}0\n", ""):  # the statistic comes with the first listener
                envoy.answer = answer
                assert await ready(url) == (503, "Envoy does not take connections yet\n")
            envoy.answer = f"{STAT}1\n"
            assert await ready(url) == (200, "ready\n")


async def test_an_envoy_that_cannot_be_asked_is_taken_at_its_word(admin: Admin) -> None:
    """An Envoy of someone else has its admin interface elsewhere."""
    made = catalog()
    admin.processor.live = compile_live(compile_plan(made), made, {})
    admin.ads.acknowledged.set()
    async with asked(admin) as url:
        assert await ready(url) == (200, "ready\n")


async def test_an_envoy_that_does_not_answer_is_not_ready(admin: Admin) -> None:
    made = catalog()
    admin.processor.live = compile_live(compile_plan(made), made, {})
    admin.ads.acknowledged.set()
    admin.envoy._socket.touch()
    async with asked(admin) as url:
        assert (await ready(url))[0] == 503
