"""The composition root: puts the parts of one server together and runs them until told to stop."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from prism.ledger.address import Address
from prism.ledger.retention import Bounds
from prism.ledger.sealing import Keys
from prism.ledger.store import Store
from prism.ledger.writer import Writer
from prism.serve.admin import Admin
from prism.serve.ads import Ads
from prism.serve.authorities import ca_file
from prism.serve.budget import RetryBudgets
from prism.serve.classifying import CascadeClassifier, Classifying
from prism.serve.configuration import Configuration
from prism.serve.conversations import Conversations
from prism.serve.credentials import Credentials
from prism.serve.envoy_admin import EnvoyAdmin
from prism.serve.feedback import Submissions
from prism.serve.folder import FolderSource
from prism.serve.garbage import tune_garbage_collection
from prism.serve.grpc_servers import servers_on, services, stop_servers
from prism.serve.learning import Learning
from prism.serve.operator_source import OperatorSource
from prism.serve.operator_stream import Operator
from prism.serve.outcomes import Outcomes
from prism.serve.processor import Processor
from prism.serve.racing import RaceLedger
from prism.serve.recent import Recent
from prism.serve.rollout import Rollout
from prism.serve.snapshot_file import SnapshotFile
from prism.serve.source import Origin, Source
from prism.serve.spending import Away, SpendingLedger
from prism.serve.state import State
from prism.serve.telling import Telling
from prism.serve.watch import changes
from prism.telemetry.metric import Family
from prism.telemetry.sending import Sending, resource
from prism.telemetry.settings import Telemetry, read_settings

if TYPE_CHECKING:
    from prism.serve.budget_sync import BudgetSync
    from prism.serve.consoling import ConsoleSettings


@dataclass(frozen=True, slots=True)
class BudgetSettings:
    """Where replicas share budgets (the URL of a Redis or Valkey), ``None`` for nowhere, and what
    holds while it can't be asked."""

    store: str | None = None
    away: Away = Away.OPEN


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Where a server finds its configuration and where it listens.

    ``source`` is a folder of resources, or the operator. ``stored`` is the file in which the
    operator stores its snapshot. ``socket`` is the unix socket for Envoy, ``envoy_admin`` that
    of Envoy's admin interface. ``admin`` is host and port of the admin endpoints, ``None`` for
    none; so is ``console``. ``ledger`` is where decisions are kept within ``ledger_bounds``,
    ``None`` for nowhere; ``prompt_key`` is the file of the keys that prompts in it are encrypted
    with.
    """

    source: Path | Operator
    socket: Path
    envoy_admin: Path
    last_good: Path
    credentials: Path | None
    admin: tuple[str, int] | None
    stored: Path | None = None
    ledger: Address | None = None
    prompt_key: Path | None = None
    ledger_bounds: Bounds = field(default_factory=Bounds)
    budgets: BudgetSettings = BudgetSettings()
    telemetry: Telemetry = field(default_factory=lambda: read_settings({}))
    console: ConsoleSettings | None = None


class Server:
    """One external processor with its control plane."""

    def __init__(self, settings: ServerSettings, classifier: CascadeClassifier) -> None:
        self._settings = settings
        self._classifier = classifier

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until ``stop``; then finish the requests under way."""
        settings = self._settings
        async with AsyncExitStack() as stack:
            asks = Classifying(self._classifier)
            stack.callback(asks.close)
            store = None if settings.ledger is None else Store(settings.ledger)
            ledger = None if store is None else self._ledger(store, stack)
            recent = Recent(keeper=ledger)
            sending = self._sending(stack)
            tell = None if sending is None else sending.evaluated
            submissions = Submissions(store, recent, tell=tell)
            stack.callback(submissions.close)
            ads, learning = Ads(), Learning.beginning(time.monotonic)
            races = RaceLedger(time.monotonic, learning.latencies.p95_ms)
            budgets = RetryBudgets(time.monotonic)
            conversations = Conversations(time.monotonic)
            spending, sync = self._spending(stack)
            processor = Processor(
                asks,
                learning.health,
                recent,
                learning.keys,
                races,
                budgets,
                conversations,
                spending,
                submissions,
            )
            telling = Telling(processor, sending)
            asks.looked = telling.metrics.second_looked
            outcomes = Outcomes(processor, recent, learning, telling)
            processor.failed = outcomes.failed
            stack.callback(outcomes.close)
            servers = servers_on(settings.socket, services(processor, ads, outcomes))
            envoy = EnvoyAdmin(settings.envoy_admin)
            configuration = Configuration(ads, processor, ca_file(), envoy)
            stack.push_async_callback(configuration.close)
            last_good = SnapshotFile(settings.last_good, Origin.LAST_GOOD)
            rollout = Rollout(
                configuration,
                Credentials(settings.credentials),
                last_good,
                getattr(self._classifier, "digest", ""),
            )
            source = self._source(rollout, last_good, ads)
            stack.push_async_callback(stop_servers, servers)
            for server in servers:
                await server.start()
            tune_garbage_collection()
            parts = [rollout.status, source.status]
            if ledger is not None:
                parts.append(lambda: {"ledger": ledger.status()})
            if sync is not None:
                parts.append(sync.status)
            state = State(processor, ads, recent, learning, rollout, telling.sending)

            def metrics() -> list[Family]:
                return [*telling.metrics.read(), *state.read()]

            admin = Admin(processor, ads, recent, learning, envoy, parts, metrics)
            await self._serve_admin(admin, stack)
            if settings.console is not None:
                from prism.serve.consoling import serve_console

                await serve_console(settings.console, admin, rollout, store, stack)
            if telling.sending is not None:
                measuring = asyncio.create_task(self._measure(telling.sending, metrics))
                stack.callback(measuring.cancel)
            await self._work(rollout, source, stop)

    def _ledger(self, store: Store, stack: AsyncExitStack) -> Writer:
        settings = self._settings
        writer = Writer(store, settings.ledger_bounds, keys=Keys(settings.prompt_key))
        writer.start()
        # Off the event loop, and after every request is over.
        stack.push_async_callback(asyncio.to_thread, writer.close)
        return writer

    def _spending(self, stack: AsyncExitStack) -> tuple[SpendingLedger, BudgetSync | None]:
        """Budgets of this replica, shared through the store where there is one."""
        settings = self._settings.budgets
        if settings.store is None:
            return SpendingLedger(time.time, time.monotonic), None
        # Most gateways have no store, and need not load its client.
        from prism.serve.budget_store import BudgetStore
        from prism.serve.budget_sync import BudgetSync

        ledger = SpendingLedger(time.time, time.monotonic, shared=True, away=settings.away)
        # No other process, not even this one's successor, may be taken for this one.
        sync = BudgetSync(ledger, BudgetStore(settings.store, secrets.token_hex(6)))
        task = asyncio.create_task(sync.run())
        stack.push_async_callback(asyncio.wait, [task])
        stack.callback(sync.close)
        return ledger, sync

    def _sending(self, stack: AsyncExitStack) -> Sending | None:
        """The way to the collector, where there is one."""
        settings = self._settings.telemetry
        if settings.endpoint is None:
            return None
        sending = Sending(settings, resource(settings.service))
        sending.start()
        # Off the event loop, and after every request is over.
        stack.push_async_callback(asyncio.to_thread, sending.close)
        return sending

    async def _measure(self, sending: Sending, metrics: Callable[[], Sequence[Family]]) -> None:
        while True:
            await asyncio.sleep(self._settings.telemetry.interval_s)
            sending.measure(metrics())

    def _source(self, rollout: Rollout, last_good: SnapshotFile, ads: Ads) -> Source:
        source, stored = self._settings.source, self._settings.stored
        if isinstance(source, Path):
            return FolderSource(source, last_good, lambda: rollout.version)
        kept = [last_good]
        if stored is not None:
            kept.append(SnapshotFile(stored, Origin.STORED))
        return OperatorSource(source, kept, lambda: rollout.version, ads.acknowledged)

    async def _work(self, rollout: Rollout, source: Source, stop: asyncio.Event) -> None:
        """Follow the source and the credentials until ``stop``; fails where either does."""
        tasks = [
            asyncio.create_task(rollout.follow(source)),
            asyncio.create_task(self._renew_keys(rollout)),
            asyncio.create_task(stop.wait()),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _renew_keys(self, rollout: Rollout) -> None:
        folder = self._settings.credentials
        if folder is None:
            await asyncio.Event().wait()
            return
        async for _ in changes(folder):
            await rollout.renew_keys()

    async def _serve_admin(self, admin: Admin, stack: AsyncExitStack) -> None:
        if self._settings.admin is None:
            return
        runner = web.AppRunner(admin.application(), access_log=None)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        host, port = self._settings.admin
        await web.TCPSite(runner, host, port).start()
