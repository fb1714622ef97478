"""When each token of an answer is due."""

from __future__ import annotations

import asyncio
import random
import time

from prism.providers.spec import ModelTiming


class Pace:
    """The timetable of one answer, counted from when its request came.

    Times are due by the clock, not one after the other, so that slow writes add up to nothing.
    """

    __slots__ = ("_first", "_instant", "_per_token")

    def __init__(self, timing: ModelTiming, chance: random.Random, started_at: float) -> None:
        factor = chance.lognormvariate(0, timing.jitter) if timing.jitter else 1.0
        rate = timing.tokens_per_second
        self._first = started_at + timing.time_to_first_token_ms / 1000 * factor
        self._per_token = factor / rate if rate else 0.0
        self._instant = not rate and not timing.time_to_first_token_ms

    async def wait(self, tokens: int) -> None:
        """Return once ``tokens`` tokens are due; 0 are due with the first one."""
        if self._instant:
            return
        delay = self._first + max(0, tokens - 1) * self._per_token - time.monotonic()
        if delay > 0:
            await asyncio.sleep(delay)
