"""Keeps a replica's accounts and the store of budgets together, beside the requests."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from prism.serve.account import Account
from prism.serve.budget_store import LEND_MS, BudgetStore, StoreAway
from prism.serve.spending import SpendingLedger

log = logging.getLogger(__name__)

EVERY_S = 1.0
"""Seconds between two times that the store hears what was spent."""
GAP_S = 0.002
"""Seconds between two exchanges at least, where a budget is nearly spent."""
RENEW_S = 10.0
"""Seconds after which an account that nobody spends from borrows anew."""
USABLE_S = LEND_MS / 1000 * 0.8
"""Seconds that this replica takes a loan for its own: clocks need not run alike."""
BATCH = 500
"""Accounts of one round trip."""
PREPARE_S = 2.0
"""Seconds that a new configuration waits for what the store knows of its budgets."""


class BudgetSync:
    """Runs until it is closed; ``clock`` gives monotonic seconds."""

    def __init__(
        self,
        ledger: SpendingLedger,
        store: BudgetStore,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ledger = ledger
        self._store = store
        self._clock = clock
        self._wanted = asyncio.Event()
        self._done = asyncio.Event()
        self._end = asyncio.Event()
        self._away: str | None = None
        self._last: float | None = None
        ledger.wake = self._wanted.set
        ledger.ask = self.prepare

    async def run(self) -> None:
        """Exchange with the store until ``close``, at once where an account runs short, else
        every second. The task must not be cancelled: the client of Redis may swallow that."""
        while not self._end.is_set():
            self._wanted.clear()
            await self.exchange()
            self._done.set()
            await asyncio.sleep(GAP_S)
            # While it is away nothing is gained by asking at each request.
            woken = self._wanted if self._away is None else self._end
            with suppress(TimeoutError):
                async with asyncio.timeout(EVERY_S):
                    await woken.wait()
        await self.exchange(give_back=True)
        await self._store.close()

    async def prepare(self) -> None:
        """Wait until the store was asked about every account, but not long."""
        self._done.clear()
        self._wanted.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(PREPARE_S):
                await self._done.wait()

    async def exchange(self, *, give_back: bool = False) -> None:
        """One round; a store that is away is told of once."""
        now = self._clock()
        due = [a for a in self._ledger.accounts() if give_back or self._is_due(a, now)]
        try:
            for start in range(0, len(due), BATCH):
                await self._batch(due[start : start + BATCH], give_back)
        except StoreAway as error:
            if self._away is None:
                log.warning("the store of budgets is away: %s", error)
            self._away = str(error)
            return
        if self._away is not None:
            log.info("the store of budgets is back")
        self._away = None
        self._last = self._clock()

    async def _batch(self, accounts: Sequence[Account], give_back: bool) -> None:
        until = self._clock() + USABLE_S
        answers = await self._store.exchange(accounts, give_back=give_back)
        for account, answer in zip(accounts, answers, strict=True):
            account.lend(answer.told, answer.known, answer.lent, until)

    def _is_due(self, account: Account, now: float) -> bool:
        left = account.lent_left(now)
        if left is None or account.settled != account.told or account.reserved:
            return True
        return account.lent_until - now < USABLE_S - RENEW_S

    def close(self) -> None:
        """Have ``run`` tell the rest, give back what is not spent, and end."""
        self._end.set()
        self._wanted.set()

    def status(self) -> dict[str, Any]:
        """For ``/status``."""
        ago = None if self._last is None else round(self._clock() - self._last, 1)
        return {"budgetStore": {"away": self._away, "lastExchangeS": ago}}
