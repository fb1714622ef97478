"""What one replica counts of budgets, by itself and with what a store lends it."""

from __future__ import annotations

import pytest
from tests.unit.clock import Clock
from tests.unit.tables import policy

from prism.routing.bounds import Budget, Period, WhenSpent
from prism.routing.budget import NOTHING_SPENT, Spent
from prism.routing.catalog import Policy
from prism.serve import spending
from prism.serve.account import NANO, Account, nano
from prism.serve.budget_metrics import budget_metrics
from prism.serve.spending import Away, SpendingLedger

DAY, HOUR = Period.DAY, Period.HOUR
HARD = WhenSpent.REFUSE
KEY = (DAY, HARD)
NOON = 1_764_244_800.0  # 2025-11-27 12:00:00 UTC
MIDNIGHT = 1_764_288_000


def under(usd: float = 1.0, period: Period = DAY) -> Policy:
    return policy(budgets=(Budget(period, usd, HARD),))


class Setting:
    """A ledger whose clocks a test moves."""

    def __init__(self, *, shared: bool = False, away: Away = Away.OPEN) -> None:
        self.clock, self.wall = Clock(), NOON
        self.ledger = SpendingLedger(lambda: self.wall, self.clock, shared=shared, away=away)
        self.wakes = 0
        self.ledger.wake = self._woken
        self.count = 0

    def _woken(self) -> None:
        self.wakes += 1

    def spent(self, made: Policy, key: tuple[Period, WhenSpent] = KEY) -> Spent:
        return self.ledger.of(made)[key]

    def send(self, made: Policy, usd: float) -> str:
        self.count += 1
        self.ledger.reserve(f"d{self.count}", made, "main", usd)
        return f"d{self.count}"

    def only(self) -> Account:
        (account,) = self.ledger.accounts()
        return account


def test_requests_under_way_count_by_estimate_and_then_by_their_cost() -> None:
    setting, made = Setting(), under(1.0)
    first = setting.send(made, 0.4)
    assert setting.spent(made) == Spent(0.4, True, True, MIDNIGHT, 43_200)
    second = setting.send(made, 0.6)
    assert not setting.spent(made).room
    setting.ledger.settle(second, 0.1)
    assert setting.spent(made) == Spent(0.5, True, True, MIDNIGHT, 43_200)
    setting.ledger.settle(first, None)  # nobody knows: as expected
    assert setting.spent(made).usd == 0.5


def test_the_budget_is_exceeded_by_one_request_at_most() -> None:
    setting, made, sent = Setting(), under(1.0), 0
    while setting.spent(made).room:
        setting.send(made, 0.3)
        sent += 1
    assert sent == 4


def test_a_budget_of_nothing_allows_nothing() -> None:
    assert not Setting().spent(under(0.0)).room


def test_tiny_sums_add_up() -> None:
    setting, made = Setting(), under(1.0)
    for _ in range(10_000):
        setting.ledger.settle(setting.send(made, 1e-7), 1e-7)
    assert setting.only().settled == 10_000 * 100
    assert nano(1e-12) == 1


def test_a_new_period_begins_with_nothing_spent() -> None:
    setting, made = Setting(), under(1.0)
    late = setting.send(made, 2.0)
    assert not setting.spent(made).room
    setting.wall = float(MIDNIGHT)
    assert setting.spent(made) == Spent(0.0, True, True, MIDNIGHT + 86_400, 86_400)
    setting.ledger.settle(late, 2.0)  # belongs to the day that it was sent on
    assert setting.spent(made).usd == 0.0


def test_a_limit_that_changes_counts_at_once() -> None:
    setting = Setting()
    setting.send(under(1.0), 0.5)
    assert not setting.spent(under(0.5)).room
    assert setting.spent(under(0.6)).room


def test_each_budget_of_a_policy_is_charged() -> None:
    setting = Setting()
    made = policy(budgets=(Budget(DAY, 1, WhenSpent.ECO), Budget(HOUR, 1, HARD)))
    setting.send(made, 0.25)
    assert [spent.usd for spent in setting.ledger.of(made).values()] == [0.25, 0.25]


def test_without_budgets_nothing_is_counted() -> None:
    setting = Setting()
    assert setting.ledger.of(None) is NOTHING_SPENT
    assert setting.ledger.of(policy()) is NOTHING_SPENT
    assert list(setting.ledger.accounts()) == []
    setting.ledger.settle("unknown", 1.0)


def test_an_end_that_never_comes_costs_the_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    setting, made = Setting(), under(1.0)
    setting.send(made, 0.2)
    setting.clock.seconds += spending.LONGEST_S
    (told,) = setting.ledger.status()
    assert (told["spentUsd"], told["reservedUsd"]) == (0.2, 0.0)
    monkeypatch.setattr(spending, "MOST_OPEN", 3)
    for _ in range(5):
        setting.send(made, 0.01)
    assert setting.only().reserved == 3 * nano(0.01)


def lend(setting: Setting, made: Policy, usd: float, known: float = 0.0) -> Account:
    setting.ledger.of(made)
    account = setting.only()
    account.lend(account.settled, nano(known), nano(usd), setting.clock() + 24)
    return account


def test_only_what_the_store_lent_may_be_spent() -> None:
    setting, made = Setting(shared=True), under(1.0)
    lend(setting, made, 0.25, known=0.5)
    assert setting.spent(made) == Spent(0.5, True, True, MIDNIGHT, 43_200)
    first = setting.send(made, 0.3)
    assert not setting.spent(made).room
    setting.ledger.settle(first, 0.2)
    assert setting.spent(made).room
    assert setting.spent(made).usd == 0.7
    assert setting.wakes > 0


@pytest.mark.parametrize(
    ("away", "known", "room", "is_known"),
    [
        (Away.OPEN, 0.5, True, True),
        (Away.OPEN, 1.0, False, True),
        (Away.CLOSED, 0.5, False, False),
        (Away.CLOSED, 1.0, False, True),  # that it is spent is known
    ],
)
def test_while_the_store_is_away(away: Away, known: float, room: bool, is_known: bool) -> None:
    setting, made = Setting(shared=True, away=away), under(1.0)
    lend(setting, made, 0.1, known)
    setting.clock.seconds += 25
    spent = setting.spent(made)
    assert (spent.room, spent.known) == (room, is_known)


def test_a_new_period_begins_with_a_part_until_the_store_was_asked() -> None:
    setting, made = Setting(shared=True, away=Away.CLOSED), under(1.6)
    lend(setting, made, 0.1)
    setting.wall = float(MIDNIGHT)
    woken = setting.wakes
    assert setting.spent(made).room
    assert setting.wakes > woken
    setting.send(made, 0.1)
    assert not setting.spent(made).room


def test_what_the_store_does_not_know_of_a_past_period_is_kept_until_it_does() -> None:
    setting, made = Setting(shared=True), under(1.0)
    lend(setting, made, 0.5)
    late = setting.send(made, 0.1)
    setting.wall = float(MIDNIGHT)
    setting.ledger.of(made)
    new, old = setting.ledger.accounts()
    assert (new.begin, old.end) == (MIDNIGHT, MIDNIGHT)
    setting.ledger.settle(late, 0.1)
    assert len(list(setting.ledger.accounts())) == 2
    old.lend(old.settled, old.settled, 0, 0.0)
    assert list(setting.ledger.accounts()) == [new]


async def test_a_policy_that_goes_and_comes_back_has_spent_what_it_had() -> None:
    setting, made = Setting(), under(1.0)
    await setting.ledger.prepare([made])
    setting.ledger.settle(setting.send(made, 0.3), 0.3)
    await setting.ledger.prepare([])
    await setting.ledger.prepare([made])
    assert setting.spent(made).usd == 0.3
    setting.wall = float(MIDNIGHT)
    await setting.ledger.prepare([])
    assert list(setting.ledger.accounts()) == []


async def test_a_period_ends_though_nobody_asks() -> None:
    setting, made = Setting(), under(1.0)
    await setting.ledger.prepare([made])
    setting.ledger.settle(setting.send(made, 1.0), 1.0)
    setting.wall = float(MIDNIGHT)
    (told,) = setting.ledger.status()
    assert (told["spentUsd"], told["room"], told["resetsAt"]) == (0.0, True, MIDNIGHT + 86_400)


async def test_budgets_that_no_policy_has_are_not_shown() -> None:
    setting, made = Setting(), under(1.0)
    await setting.ledger.prepare([made])
    await setting.ledger.prepare([])
    assert setting.ledger.status() == []


def test_metrics_are_those_of_the_status() -> None:
    setting, made = Setting(), under(2.0)
    setting.send(made, 0.5)
    text = budget_metrics(setting.ledger.status())
    labels = '{project="acme",period="Day",action="Refuse"}'
    assert f"prism_budget_max_usd{labels} 2\n" in text
    assert f"prism_budget_reserved_usd{labels} 0.5\n" in text
    assert f"prism_budget_room{labels} 1\n" in text
    assert f"prism_budget_reset_seconds{labels} {MIDNIGHT}\n" in text
    assert text.count("# TYPE") == 5
    assert NANO == 10**9
