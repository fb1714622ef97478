"""The console over a ledger and a live plan, on a free port and an event loop of its own."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web

from prism.console.access import Access
from prism.console.application import Console
from prism.console.sight import Sight
from prism.exchange.targets import Live, compile_live
from prism.ledger.store import Store
from prism.routing.catalog import Catalog
from prism.routing.plan import compile_plan
from prism.routing.record import Record
from prism.serve.learning import Learning
from prism.serve.recent import Recent


class Seen:
    """A server as the console sees it: a real plan, real health, and decisions in memory."""

    def __init__(self, catalog: Catalog | None, store: Store | None) -> None:
        self.catalog, self.before = catalog, None
        self.store = store
        self.learning = Learning.beginning(time.monotonic)
        self.recent = Recent()
        self.live: Live | None = None
        if catalog is not None:
            names = (
                credential.key
                for table in catalog.tables.values()
                for provider in table.providers.values()
                for credential in provider.credentials
            )
            keys = {name: f"sk-secret-{name}" for name in list(names)[:-1]}
            self.live = compile_live(compile_plan(catalog), catalog, keys)
        self.problems: list[dict[str, object]] = []

    def keep(self, record: Record) -> None:
        """A decision was made just now."""
        self.recent.add(record)

    def sight(self) -> Sight:
        return Sight(
            store=self.store,
            record=self.recent.get,
            records=self.recent.newest,
            live=lambda: self.live,
            catalogs=lambda: (self.catalog, self.before),
            status=self.status,
        )

    def status(self) -> dict[str, object]:
        return {
            "planVersion": None if self.live is None else self.live.version,
            "envoys": 1,
            **self.learning.status({} if self.live is None else self.live.clusters),
            "outcomesJoined": 3597,
            "outcomesLost": 0,
            "source": "Folder",
            "problems": self.problems,
            "refusedByEnvoy": None,
            "ledger": {"written": 7201, "waiting": 2, "lost": 0, "trouble": None},
        }


@contextmanager
def serving(seen: Seen, access: Access) -> Iterator[str]:
    """Serve until left; gives the URL, without a slash at its end."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    console = Console(seen.sight(), access)
    runner = web.AppRunner(console.application())

    async def start() -> int:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port: int = runner.addresses[0][1]
        return port

    port = asyncio.run_coroutine_threadsafe(start(), loop).result(60)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(60)
        console.close()
        loop.call_soon_threadsafe(loop.stop)
        thread.join(60)
