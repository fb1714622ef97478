"""The measurements: how soon a change is live, what is lost meanwhile, and how it scales."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import cluster_documents as documents
import psutil
from cluster_processor import Processor, seconds_by_kind
from cluster_reconciling import Reconciling
from cluster_requests import Count, Replicas
from figures import quantile
from tests.cluster.release import Release

RATE = 200.0
"""Requests a second while the table changes."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured. ``few`` is the number of changes with everything applied, and
    ``changes`` that of those before it; 0 leaves these out."""

    changes: int
    few: int


DEFAULT, QUICK = Plan(changes=100, few=20), Plan(changes=10, few=5)
ONLY_MANY = Plan(changes=0, few=20)


@dataclass(frozen=True, slots=True)
class Change:
    """Seconds from starting kubectl until it returned, until the first replica routed by the
    change, and until the last did."""

    kubectl: float
    first: float
    last: float


@dataclass(slots=True)
class Result:
    """Everything measured. ``live`` and ``reconciled`` are seconds from starting an operator
    over many resources that none has seen, ``restarted`` from starting it again, and
    ``rewritten`` the statuses that it wrote then. ``processor`` has the seconds of processor time
    that the first start took, by process, and ``changing`` those of one change among them; memory
    is RSS in MiB by process; ``others`` is the share of the processor's time that other programs
    took."""

    alone: list[Change] = field(default_factory=list)
    loaded: list[Change] = field(default_factory=list)
    count: Count = field(default_factory=Count)
    many: list[Change] = field(default_factory=list)
    applied: float = 0.0
    live: float = 0.0
    reconciled: float = 0.0
    restarted: float = 0.0
    rewritten: int = 0
    processor: dict[str, float] = field(default_factory=dict)
    changing: dict[str, float] = field(default_factory=dict)
    memory: dict[str, float] = field(default_factory=dict)
    others: float = 0.0


class Measuring:
    """Runs the measurements on a release whose operators and gateways run."""

    def __init__(
        self,
        release: Release,
        replicas: Replicas,
        upstream_port: int,
        plan: Plan,
        say: Callable[[str], None],
    ) -> None:
        self._release = release
        self._replicas = replicas
        self._port = upstream_port
        self._plan = plan
        self._say = say
        self._number = 0
        self.result = Result()

    async def run(self) -> Result:
        """Measure everything."""
        found, plan, processor = self.result, self._plan, Processor()
        first = documents.change(self._number, self._port)
        await self._apply([documents.policy("bench", documents.KEY), first])
        for gateway in self._release.gateways:
            await asyncio.to_thread(gateway.until_ready)
        await self._replicas.live(documents.model_after(self._number))
        if plan.changes:
            await self._changes()
        found.memory |= self._memory("")
        await self._reconcile()
        self._say(f"{plan.few} changes among them")
        before = seconds_by_kind()
        found.many = [await self._change() for _ in range(plan.few)]
        found.changing = {k: (s - before[k]) / plan.few for k, s in seconds_by_kind().items()}
        found.memory |= self._memory("_2000")
        found.others = processor.others()
        return found

    async def _changes(self) -> None:
        """Change one table again and again, without and with load."""
        found, number = self.result, self._plan.changes
        self._say(f"{number} changes, one after the other")
        found.alone = [await self._change() for _ in range(number)]
        self._say(f"{number} changes under {RATE:g} requests/s")
        over = asyncio.Event()
        load = asyncio.create_task(self._replicas.steady(RATE, over))
        found.loaded = [await self._change() for _ in range(number)]
        over.set()
        found.count = await load

    async def _change(self) -> Change:
        """Apply the next change and wait until it is live everywhere."""
        self._number += 1
        document = documents.change(self._number, self._port)
        start = time.perf_counter()
        watching = asyncio.create_task(self._replicas.live(documents.model_after(self._number)))
        await self._apply([document])
        returned = time.perf_counter()
        live = await watching
        return Change(returned - start, min(live) - start, max(live) - start)

    async def _apply(self, items: list[documents.Document], *options: str) -> None:
        command = ("apply", *options, "-f", "-")
        await asyncio.to_thread(self._release.kubectl, *command, given=documents.text(items))

    async def _reconcile(self) -> None:
        """Apply everything without an operator; then start one, and start it again."""
        found, reconciling = self.result, Reconciling(self._release, self._port)
        for operator in self._release.operators:
            operator.stop()
        self._say(f"applying {documents.TABLES} tables and {documents.POLICIES} policies")
        start = time.perf_counter()
        await self._apply(reconciling.items, "--server-side", "--force-conflicts")
        found.applied = time.perf_counter() - start
        self._number = 0  # as the default table is among them
        self._say("starting an operator over them")
        before = seconds_by_kind()
        found.live, found.reconciled = await reconciling.first()
        found.processor = {k: s - before[k] for k, s in seconds_by_kind().items()}
        self._say("starting it again")
        found.restarted, found.rewritten = await reconciling.again()
        await reconciling.others()

    def _memory(self, ending: str) -> dict[str, float]:
        """The largest of each kind of process."""
        pods = {
            "operator": [pod.pid("operator") for pod in self._release.operators],
            "extproc": [g.pod.pid("extproc") for g in self._release.gateways],
            "envoy": [g.pod.pid("envoy") for g in self._release.gateways],
        }
        return {
            f"{name}_rss_mib{ending}": max(psutil.Process(p).memory_info().rss for p in pids)
            / 2**20
            for name, pids in pods.items()
        }


def figures(found: Result) -> dict[str, float]:
    """Every figure by its name; none of what was left out."""
    made: dict[str, float] = {}
    for name, changes in (
        ("live", found.alone),
        ("live_loaded", found.loaded),
        ("live_2000", found.many),
    ):
        if not changes:
            continue
        for part, values in (
            ("", [change.last for change in changes]),
            ("_first", [change.first for change in changes]),
            ("_kubectl", [change.kubectl for change in changes]),
        ):
            for label, share in (("p50", 0.5), ("p95", 0.95)):
                made[f"{name}{part}_{label}_s"] = quantile(sorted(values), share)
        made[f"{name}_changes"] = len(changes)
    if found.loaded:
        made |= {
            "failed_requests": len(found.count.failures),
            "requests": found.count.sent,
            "late_requests": found.count.late,
        }
    made |= {
        "applied_2000_s": found.applied,
        "reconcile_2000_live_s": found.live,
        "reconcile_2000_s": found.reconciled,
        "restart_2000_s": found.restarted,
        "restart_2000_writes": found.rewritten,
        **{f"reconcile_2000_{kind}_cpu_s": seconds for kind, seconds in found.processor.items()},
        **{f"live_2000_{kind}_cpu_s": seconds for kind, seconds in found.changing.items()},
        "others_processor_share": found.others,
        **found.memory,
    }
    return {name: round(value, 4) for name, value in made.items()}
