"""Puts the console on a listener of its own, with what it may see of this server."""

from __future__ import annotations

import logging
from contextlib import AsyncExitStack
from dataclasses import dataclass

from aiohttp import web

from prism.console.access import Access
from prism.console.application import Console
from prism.console.sight import Sight
from prism.ledger.store import Store
from prism.serve.admin import Admin
from prism.serve.rollout import Rollout

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ConsoleSettings:
    """Where the console listens, and who may look."""

    host: str
    port: int
    access: Access


async def serve_console(
    settings: ConsoleSettings,
    admin: Admin,
    rollout: Rollout,
    store: Store | None,
    stack: AsyncExitStack,
) -> None:
    """Listen until ``stack`` is left."""
    sight = Sight(
        store=store,
        record=admin.recent.get,
        records=admin.recent.newest,
        live=lambda: admin.processor.live,
        catalogs=rollout.catalogs,
        status=admin.status,
    )
    console = Console(sight, settings.access)
    stack.callback(console.close)
    runner = web.AppRunner(console.application(), access_log=None)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, settings.host, settings.port).start()
    host, port = runner.addresses[0][:2]
    log.info("the console is at http://%s:%d", f"[{host}]" if ":" in host else host, port)
