"""Counts what projects spend, and tells each decision what is left of their budgets.

A request is charged by estimate when it goes out and by what it really cost once it is over. All
of that is in memory: where replicas share budgets, a task of its own (``budget_sync``) tells the
store and borrows from it meanwhile.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from prism.routing.bounds import Budget
from prism.routing.budget import NOTHING_SPENT, Spending, Spent, span_of
from prism.routing.catalog import Policy
from prism.routing.decision import Decision
from prism.routing.plan import Plan
from prism.routing.racing import Race
from prism.routing.signals import Signals
from prism.serve.account import NANO, Account, Place, nano

MOST_OPEN = 100_000
"""Requests whose end is awaited."""
LONGEST_S = 3600.0
"""Seconds after which an end is no longer awaited: the estimate is taken for the cost."""


class Away(StrEnum):
    """What holds while the store of budgets can't be asked and nothing lent is left."""

    OPEN = "open"
    """Each replica goes on by itself, from what was known last: no request is refused in error,
    and all together may spend the rest once each."""
    CLOSED = "closed"
    """Requests under a budget that refuses get 503: no dollar is spent that nobody counts."""


@dataclass(frozen=True, slots=True)
class _Open:
    """A request under way: by which table it was decided, what was reserved of which accounts,
    and when."""

    accounts: tuple[Account, ...]
    table: str
    amount: int
    at: float


def _nothing() -> None:
    """Nobody need be told."""


async def _at_once() -> None:
    """There is nothing to wait for."""


class SpendingLedger:
    """The accounts of one replica.

    ``wall`` gives seconds since the epoch, ``clock`` monotonic ones. ``shared`` says that a store
    lends, and ``away`` what holds while it can't be asked.
    """

    def __init__(
        self,
        wall: Callable[[], float],
        clock: Callable[[], float],
        *,
        shared: bool = False,
        away: Away = Away.OPEN,
    ) -> None:
        self._wall = wall
        self._clock = clock
        self._shared = shared
        self._away = away
        self.wake: Callable[[], None] = _nothing
        """Called when the store should be asked soon."""
        self.ask: Callable[[], Awaitable[None]] = _at_once
        """Waits until the store was asked."""
        self._accounts: dict[Place, Account] = {}
        self._unwanted: set[Place] = set()
        """Accounts of budgets that no policy has any more."""
        self._past: list[Account] = []
        """Accounts of periods that are over, until the store knows all of them."""
        self._open: OrderedDict[str, _Open] = OrderedDict()

    def of(self, policy: Policy | None) -> Spending:
        """What is known of the budgets of ``policy`` just now."""
        if policy is None or not policy.budgets:
            return NOTHING_SPENT
        wall, clock = self._wall(), self._clock()
        found = {}
        for budget in policy.budgets:
            account = self._of_budget(policy, budget, wall, clock)
            room, known = self._room(account, clock)
            found[budget.period, budget.action] = Spent(
                account.spent / NANO, room, known, account.end, max(0, round(account.end - wall))
            )
        return found

    def sent(
        self, decision_id: str, plan: Plan, signals: Signals, decision: Decision, race: Race | None
    ) -> None:
        """A request goes out: reserve what it is expected to cost, where it is under a budget."""
        policy = plan.policies.get(decision.policy or "")
        if policy is None or not policy.budgets:
            return
        estimate = decision.estimate
        # What was not read has no estimate that means anything.
        usd = 0.0 if estimate is None or not signals.input_tokens else estimate.cost_usd
        if race is not None:
            usd += race.most_usd()
        self.reserve(decision_id, policy, decision.table, usd)

    def reserve(self, decision_id: str, policy: Policy, table: str, usd: float) -> None:
        """A request of ``policy``, decided by ``table``, goes out that is expected to cost
        ``usd`` US dollars."""
        wall, clock, amount = self._wall(), self._clock(), nano(usd)
        accounts = tuple(
            [self._of_budget(policy, budget, wall, clock) for budget in policy.budgets]
        )
        for account in accounts:
            account.reserve(amount)
        self._open[decision_id] = _Open(accounts, table, amount, clock)
        self._give_up(clock)
        self._wake_if_short(accounts, clock)

    def table_of(self, decision_id: str) -> str | None:
        """The table of a request under way, ``None`` where no budget waits for its end."""
        found = self._open.get(decision_id)
        return None if found is None else found.table

    def settle(self, decision_id: str, usd: float | None) -> None:
        """A request is over; ``usd`` is what it cost, ``None`` where nobody knows."""
        found = self._open.pop(decision_id, None)
        if found is None:
            return
        cost = found.amount if usd is None else nano(usd)
        for account in found.accounts:
            account.settle(found.amount, cost)
        self._wake_if_short(found.accounts, self._clock())

    async def prepare(self, policies: Iterable[Policy]) -> None:
        """Have an account for each budget of ``policies``, and know what was spent of it. Those of
        other policies stay until their period is over: they may come back."""
        wall, clock = self._wall(), self._clock()
        wanted = {
            self._of_budget(policy, budget, wall, clock).place
            for policy in policies
            for budget in policy.budgets
        }
        self._unwanted = self._accounts.keys() - wanted
        self._turn(wall, clock)
        await self.ask()

    def accounts(self) -> Iterator[Account]:
        """Every account, those of past periods while the store must still hear of them."""
        self._turn(self._wall(), self._clock())
        self._past = [account for account in self._past if self._shared and not account.silent()]
        yield from self._accounts.values()
        yield from self._past

    def status(self) -> list[dict[str, Any]]:
        """Each budget with what was spent of it, for the admin endpoints."""
        wall, clock = self._wall(), self._clock()
        self._give_up(clock)
        self._turn(wall, clock)
        shown = [a for place, a in self._accounts.items() if place not in self._unwanted]
        return [self._told(account, clock) for account in shown]

    def _told(self, account: Account, clock: float) -> dict[str, Any]:
        project, period, action = account.place
        room, known = self._room(account, clock)
        return {
            "project": project,
            "period": period,
            "action": action,
            "maxUsd": account.limit / NANO,
            "spentUsd": (account.spent - account.reserved) / NANO,
            "reservedUsd": account.reserved / NANO,
            "room": room,
            "known": known,
            "resetsAt": account.end,
        }

    def _room(self, account: Account, clock: float) -> tuple[bool, bool]:
        """Whether another request may be paid, and whether that is known."""
        if not self._shared:
            return account.has_room(), True
        left = account.lent_left(clock)
        if left is not None:
            return left > 0, True
        if self._away is Away.OPEN or not account.has_room():
            return account.has_room(), True
        return False, False

    def _of_budget(self, policy: Policy, budget: Budget, wall: float, clock: float) -> Account:
        place = policy.project, budget.period, budget.action
        account = self._accounts.get(place)
        limit = nano(budget.max_cost)
        if account is None or account.end <= wall:
            return self._begin(place, limit, wall, clock)
        if account.limit != limit:
            account.limit = limit
            self.wake()
        return account

    def _begin(self, place: Place, limit: int, wall: float, clock: float) -> Account:
        """The account of the period that it is now."""
        before = self._accounts.get(place)
        made = self._accounts[place] = Account(place, limit, *span_of(place[1], wall))
        if before is not None:
            self._past.append(before)
            if clock < before.lent_until:
                made.lend_ahead(before.lent_until)
        self.wake()
        return made

    def _turn(self, wall: float, clock: float) -> None:
        """Begin anew where a period is over, though nobody has asked since."""
        for place, account in [(p, a) for p, a in self._accounts.items() if a.end <= wall]:
            if place in self._unwanted:
                self._past.append(self._accounts.pop(place))
            else:
                self._begin(place, account.limit, wall, clock)

    def _wake_if_short(self, accounts: Iterable[Account], clock: float) -> None:
        if not self._shared:
            return
        for account in accounts:
            left = account.lent_left(clock)
            # Of what is spent nothing more is lent.
            if account.known < account.limit and (left is None or 2 * left <= account.lent):
                self.wake()
                return

    def _give_up(self, clock: float) -> None:
        """Take the estimate for the cost of requests whose end never came."""
        while self._open:
            decision_id, first = next(iter(self._open.items()))
            if clock - first.at < LONGEST_S and len(self._open) <= MOST_OPEN:
                return
            self.settle(decision_id, None)
