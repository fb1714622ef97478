"""Has an Envoy finish its requests: used by ``prism run`` and ``prism drain``."""

from __future__ import annotations

import asyncio
import contextlib

import aiohttp

from prism.serve.envoy_admin import EnvoyAdmin


async def drained(
    admin: EnvoyAdmin, seconds: float, now: asyncio.Event, *, linger_s: float = 0.0
) -> bool:
    """Have connections closed with their answers, then take no new ones, and each time wait
    for the requests under way; returns whether none is left.

    For ``linger_s`` all goes on as before but for the closing of connections; after that,
    requests have ``seconds`` at most. ``now`` cuts it short.
    """
    with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
        await admin.get("/drain_listeners?graceful&skip_exit", method="POST")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(now.wait(), linger_s)
        until = asyncio.get_running_loop().time() + seconds
        await _idle(admin, until, now)
        await admin.get("/drain_listeners", method="POST")
        return await _idle(admin, until, now)
    return False


async def _idle(admin: EnvoyAdmin, until: float, now: asyncio.Event) -> bool:
    """Wait until no request is under way, at most ``until`` (loop seconds)."""
    while asyncio.get_running_loop().time() < until and not now.is_set():
        text = await admin.get("/stats?filter=^http.gateway.downstream_rq_active$")
        if text.strip().endswith(": 0"):
            return True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(now.wait(), 0.1)
    return False
