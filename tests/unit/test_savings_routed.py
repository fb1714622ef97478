"""Usages decided again, against sums made by hand on the small table of the routing tests."""

from __future__ import annotations

import msgspec
import pytest
from tests.unit.tables import BALANCED, CODE, COMPLEX, ECO, SIMPLE, SPORT, catalog, policy

from prism.prompt.chat import read_chat
from prism.prompt.document import read
from prism.routing.catalog import Policy, Price, Task
from prism.routing.identify import Caller
from prism.routing.plan import compile_plan
from prism.routing.signals import Classification
from prism.savings.figures import savings_of
from prism.savings.prices import Prices
from prism.savings.routed import Router
from prism.savings.tally import MOST_MODELS, OTHERS, Asked, Moved, Tally
from prism.savings.usage import Tokens, Usage

LISTED = {"known": Price(100.0, 100.0, 10.0, 125.0)}
M = 1_000_000


class Says:
    """Calls a text what its first word says."""

    def classify(self, text: str) -> Classification:
        task = Task(text.split()[0])
        return Classification(task, 0.9, {task: 0.9})


def router(mix: dict[Task, float] | None = None, **changes: object) -> Router:
    policies: tuple[Policy, ...] = (policy(**changes),) if changes else ()  # type: ignore[arg-type]
    plan = compile_plan(catalog(*policies))
    table = plan.default_table
    prices = Prices(table, lambda name, _: LISTED.get(name))
    who = Caller(plan.policies.get("acme"), table)
    return Router(plan, who, Says(), prices, mix or {})


def usage(model: str, tokens: Tokens, text: str | None = None, **changes: object) -> Usage:
    chat = None
    if text is not None:
        body = {"messages": [{"role": "user", "content": text}]}
        chat = read_chat(read(msgspec.json.encode(body)))
    return Usage(model, tokens, chat, **changes)  # type: ignore[arg-type]


def counted(made: Router, *usages: Usage) -> Tally:
    tally = Tally()
    for item in usages:
        made.count(item, tally)
    return tally


def test_each_mode_is_charged_for_the_first_model_of_its_cell() -> None:
    tally = counted(router(), usage("huge", Tokens(5000, 1000), "code please"))
    savings = savings_of(tally, 0.0)
    total = savings.total
    # US dollars per million tokens: huge 10 and 40, tiny 0.1 and 0.4, medium 1 and 4.
    assert total.asked.usd == pytest.approx((5000 * 10 + 1000 * 40) / M)
    assert total.modes[ECO].usd == pytest.approx((5000 * 0.1 + 1000 * 0.4) / M)
    assert total.modes[BALANCED].usd == pytest.approx((5000 * 1 + 1000 * 4) / M)
    assert total.modes[SPORT].usd == pytest.approx(total.asked.usd)
    assert total.saved(BALANCED) == pytest.approx(0.9)
    assert [row.name for row in savings.by_task] == [CODE]
    assert savings.by_model[0].to == {ECO: "tiny", BALANCED: "medium", SPORT: "huge"}


def test_cached_tokens_pay_in_full_at_another_model() -> None:
    tally = counted(router(), usage("huge", Tokens(5000, 0, 4000, 500), "code please"))
    total = savings_of(tally, 0.0).total
    # A cached token costs a tenth, one that is written to the cache a quarter more.
    assert total.asked.usd == pytest.approx((500 * 10 + 500 * 12.5 + 4000 * 1) / M)
    assert total.modes[SPORT].usd == total.asked.usd
    assert total.modes[ECO].usd == pytest.approx((4500 * 0.1 + 500 * 0.125) / M)
    warm = (500 * 0.1 + 500 * 0.125 + 4000 * 0.01) / M
    assert total.modes[ECO].warm_usd == pytest.approx(warm)


def test_writing_the_cache_has_its_list_price() -> None:
    tally = counted(router(), usage("known", Tokens(1000, 0, 300, 200), "code please"))
    assert tally.usd == pytest.approx((500 * 100 + 300 * 10 + 200 * 125) / M)


def test_the_classifier_is_charged_once_in_each_mode() -> None:
    tally = counted(router(), usage("huge", Tokens(5000, 1000), "code please"))
    tally.classify_s = 36.0
    savings = savings_of(tally, 0.05)
    assert savings.classifier_usd == pytest.approx(0.0005)
    assert savings.total.modes[ECO].usd == pytest.approx(0.0005 + 0.0009)
    assert savings.by_task[0].modes[ECO].usd == pytest.approx(0.0009)


def test_what_fits_no_model_of_the_cell_goes_on_or_stays() -> None:
    # tiny holds 8,000 tokens and small 16,000: medium is the third of the cell.
    long = usage("huge", Tokens(50_000, 1000), "code please")
    assert savings_of(counted(router(), long), 0.0).by_model[0].to[ECO] == "medium"
    tally = counted(router(), usage("huge", Tokens(2_000_000, 1000), "code please"))
    assert tally.kept == {ECO: 1, BALANCED: 1, SPORT: 1}
    assert savings_of(tally, 0.0).total.saved(ECO) == 0


def test_the_policy_of_a_project_holds() -> None:
    made = router(denied_models=frozenset({"tiny"}))
    tally = counted(made, usage("huge", Tokens(5000, 1000), "code please"))
    assert savings_of(tally, 0.0).by_model[0].to[ECO] == "small"


def test_without_a_prompt_the_safe_task_is_taken() -> None:
    tally = counted(router(), usage("huge", Tokens(5000, 1000), requests=5))
    assert [task for task, _ in tally.asked] == [COMPLEX]
    assert (tally.requests, tally.unread, tally.classified) == (5, 5, 0)


def test_or_the_mix_that_is_given() -> None:
    mix = {SIMPLE: 0.75, CODE: 0.25}
    tally = counted(router(mix), usage("huge", Tokens(5000, 1000), requests=8))
    assert {task: asked.requests for (task, _), asked in tally.asked.items()} == {
        SIMPLE: 6,
        CODE: 2,
    }
    assert tally.usd == pytest.approx((5000 * 10 + 1000 * 40) / M)


def test_sums_of_an_export_are_judged_by_the_mean_prompt() -> None:
    tally = counted(router(), usage("huge", Tokens(1_000_000, 1000), requests=1000))
    assert savings_of(tally, 0.0).by_model[0].to[ECO] == "tiny"


def test_a_model_without_a_price_is_counted_apart() -> None:
    tally = counted(router(), usage("strange", Tokens(1, 1), "code please"))
    assert tally.unpriced == {"strange": 1}
    assert tally.requests == 0


@pytest.mark.parametrize(
    ("name", "counted_as"),
    [
        ("medium", "medium"),
        ("acorn/medium", "medium"),  # as its provider calls it
        ("medium-2026-01-31", "medium"),
        ("medium-20260131", "medium"),
        ("openai/medium", "medium"),
        ("known", "known"),
        ("vendor/known", "vendor/known"),
    ],
)
def test_models_are_found_under_the_names_that_logs_have(name: str, counted_as: str) -> None:
    found = router().prices.of(name)
    assert found is not None
    assert found.name == counted_as


def test_the_logs_own_costs_are_set_beside_ours() -> None:
    tally = counted(
        router(),
        usage("huge", Tokens(5000, 1000), "code a", own_usd=0.08),
        usage("huge", Tokens(5000, 1000), "code a"),
    )
    assert (tally.own_requests, tally.own_usd) == (1, 0.08)
    assert tally.own_priced_usd == pytest.approx(0.09)


def test_tallies_add_up() -> None:
    one = counted(router(), usage("huge", Tokens(5000, 1000), "code a"))
    two = counted(router(), usage("huge", Tokens(50, 10), "simple a"), usage("?", Tokens(1, 1)))
    both = Tally()
    both.add(one)
    both.add(two)
    assert both.usd == one.usd + two.usd
    assert both.requests == 2
    assert both.unpriced == {"?": 1}
    assert set(both.moved) == set(one.moved) | set(two.moved)


def test_many_names_of_models_take_no_more_room() -> None:
    tally = Tally()
    for number in range(MOST_MODELS + 50):
        other = Tally()
        other.unpriced[f"m{number}"] = 1
        tally.add(other)
    assert len(tally.unpriced) == MOST_MODELS + 1
    assert tally.unpriced[OTHERS] == 50


def test_names_of_many_blocks_take_no_more_room_either() -> None:
    both = Tally()
    for number in range(MOST_MODELS + 50):
        one = Tally()
        one.asked[CODE, f"m{number}"] = Asked(requests=1, usd=2)
        one.moved[CODE, f"m{number}", ECO, "small"] = Moved(requests=1, usd=1)
        both.add(one)
    assert len(both.asked) == len(both.moved) == MOST_MODELS + 1
    assert both.asked[CODE, OTHERS] == Asked(requests=50, usd=100)
    assert both.moved[CODE, OTHERS, ECO, "small"] == Moved(requests=50, usd=50)
