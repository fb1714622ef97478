"""The measurement: rounds in which every gateway gets every load, one right after the other.

A machine drifts: it warms up, a neighbour starts something. Interleaved, drift meets all
gateways alike, where measured one after the other it would be counted for one of them.
"""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import psutil
from figures import HEADLINE_SIZE, Slot
from gateways import Gateway, Running
from load import Load
from prompts import SIZES, Request, requests

CONCURRENCIES = (1, 16, 64)
_MOST_DECISIONS = 1000
"""As many as Prism's admin endpoint gives."""
_MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Plan:
    """How long to measure: seconds of a slot at 1 kB, which the targets are set for, and at
    the other sizes, and of the load before the first round."""

    rounds: int
    headline_s: float
    other_s: float
    warm_up_s: float

    def seconds(self, size: str) -> float:
        """The length of a slot."""
        return self.headline_s if size == HEADLINE_SIZE else self.other_s


DEFAULT = Plan(rounds=5, headline_s=2.6, other_s=1.3, warm_up_s=2.0)
QUICK = Plan(rounds=2, headline_s=0.9, other_s=0.6, warm_up_s=0.6)


class Measuring:
    """Measures running gateways; ``say`` gets a line for each step. ``turns``: as
    ``requests`` has them."""

    def __init__(
        self,
        running: Running,
        plan: Plan,
        say: Callable[[str], None],
        turns: Sequence[str] | None = None,
    ) -> None:
        self._running = running
        self._plan = plan
        self._say = say
        pool = {size: requests(length, turns) for size, length in SIZES.items()}
        self._loads = {g.name: _loads(g, pool) for g in running.gateways}

    async def run(self) -> list[Slot]:
        """Warm up, then every round; raises ``BadAnswer`` at the first bad answer."""
        await self.warm_up()
        slots: list[Slot] = []
        for number in range(1, self._plan.rounds + 1):
            for size in SIZES:
                for concurrency in CONCURRENCIES:
                    slots += await self.compare(number, size, concurrency)
        return slots

    async def warm_up(self) -> None:
        """Load on every gateway that is not counted."""
        for gateway in self._running.gateways:
            self._say(f"warming up {gateway.name}")
            for size in SIZES:
                await self._loads[gateway.name][size].run(self._plan.warm_up_s / len(SIZES), 16)

    async def compare(self, number: int, size: str, concurrency: int) -> list[Slot]:
        """All gateways under one load."""
        slots = [
            await self._slot(gateway, number, size, concurrency)
            for gateway in self._running.gateways
        ]
        rates = ", ".join(f"{s.gateway} {len(s.latencies) / s.seconds:,.0f}/s" for s in slots)
        load = f"{size} at concurrency {concurrency}"
        self._say(f"round {number} of {self._plan.rounds}, {load}: {rates}")
        return slots

    async def _slot(self, gateway: Gateway, number: int, size: str, concurrency: int) -> Slot:
        load = self._loads[gateway.name][size]
        began, sent, before = time.time(), load.sent, _cpu_s(gateway.processes())
        sample = await load.run(self._plan.seconds(size), concurrency)
        after = _cpu_s(gateway.processes())
        each = 1_000_000 / (load.sent - sent)
        cpu = {role: (after[role] - before.get(role, 0.0)) * each for role in after}
        degraded = None
        if gateway.name == "prism":
            degraded = degraded_share(self._running.admin_port, began)
        return Slot(
            number, gateway.name, size, concurrency, sample.seconds, sample.latencies, cpu, degraded
        )


def degraded_share(admin_port: int, since: float) -> float:
    """The share of Prism's newest decisions since then for which the classifier was too late.

    One that was there and abstained counts as a classification.
    """
    url = f"http://127.0.0.1:{admin_port}/decisions?limit={_MOST_DECISIONS}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        decisions = [item for item in json.load(answer) if item["time"] >= since]
    if not decisions:
        raise RuntimeError("Prism recorded no decision of the requests that it answered")
    return sum(item["classification"] is None for item in decisions) / len(decisions)


def rss_mib(running: Running) -> dict[str, dict[str, float]]:
    """Resident memory, by gateway and process."""
    return {
        gateway.name: {
            role: process.memory_info().rss / _MEBIBYTE
            for role, process in gateway.processes().items()
        }
        for gateway in running.gateways
    }


def _loads(gateway: Gateway, pool: Mapping[str, Sequence[Request]]) -> dict[str, Load]:
    return {size: Load(made, gateway.port, gateway.marker) for size, made in pool.items()}


def _cpu_s(processes: Mapping[str, psutil.Process]) -> dict[str, float]:
    """Processor seconds so far, user and system."""
    times = {role: process.cpu_times() for role, process in processes.items()}
    return {role: time.user + time.system for role, time in times.items()}
