"""Requests to the replicas: watching for a change to be live, and a steady rate of them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from cluster_documents import KEY

_PAUSE_S = 0.02
"""Between two looks at a replica: figures are too long by up to that. Looking more often would
itself take a core from what is measured: three replicas answer hundreds of requests a second."""
_PATIENCE_S = 60.0
_BODY = {"model": "auto", "messages": [{"role": "user", "content": "Where is my parcel?"}]}


class NeverLive(Exception):
    """A change was not live at a replica in time."""


@dataclass(slots=True)
class Count:
    """Of a steady stream of requests. ``failures`` has what was wrong with each that failed."""

    sent: int = 0
    late: int = 0
    failures: list[str] = field(default_factory=list)


class Replicas:
    """The gateway's replicas, by their URLs."""

    def __init__(self, urls: Sequence[str], session: aiohttp.ClientSession) -> None:
        self._urls = [f"{url}/v1/chat/completions" for url in urls]
        self._session = session

    async def live(self, model: str) -> list[float]:
        """When (``time.perf_counter``) each replica first routed a request to ``model``."""
        return list(await asyncio.gather(*(self._live(url, model) for url in self._urls)))

    async def _live(self, url: str, model: str) -> float:
        until = time.perf_counter() + _PATIENCE_S
        while time.perf_counter() < until:
            # Envoy opens its port only once it has its first routes.
            with contextlib.suppress(aiohttp.ClientConnectorError, TimeoutError):
                async with self._ask(url) as answer:
                    if answer.status == 200 and answer.headers.get("x-prism-model") == model:
                        return time.perf_counter()
            await asyncio.sleep(_PAUSE_S)
        raise NeverLive(f"{url} never answered with {model}")

    async def steady(self, rate: float, over: asyncio.Event) -> Count:
        """Send so many requests a second, one replica after the other, until ``over``.

        The pace does not wait for answers: a gateway that stops for a moment has the requests of
        that moment still to come, as it would have in production.
        """
        count, under_way = Count(), set[asyncio.Task[None]]()
        start = time.perf_counter()
        while not over.is_set():
            due = start + count.sent / rate
            if (early := due - time.perf_counter()) > 0:
                await asyncio.sleep(early)
            count.late += early < -1
            task = asyncio.create_task(self._once(self._urls[count.sent % len(self._urls)], count))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
            count.sent += 1
        await asyncio.gather(*under_way)
        return count

    async def _once(self, url: str, count: Count) -> None:
        try:
            async with self._ask(url) as answer:
                text = await answer.text()
                if answer.status != 200 or "x-prism-model" not in answer.headers:
                    count.failures.append(f"{answer.status} {text[:300]}")
        except (aiohttp.ClientError, TimeoutError) as error:
            count.failures.append(f"{type(error).__name__}: {error}")

    def _ask(self, url: str) -> Any:
        return self._session.post(url, json=_BODY, headers={"authorization": f"Bearer {KEY}"})
