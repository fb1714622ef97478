"""Conversations stay on their model: a table of what is remembered and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from prism.routing.bounds import Budget, Limits, Period, Racing, Wait, WhenSpent
from prism.routing.budget import Spent
from prism.routing.catalog import Forced, Mode, Policy
from prism.routing.decide import Health, decide
from prism.routing.decision import Decision, Step
from prism.routing.identify import Caller
from prism.routing.limits import ranked
from prism.routing.plan import compile_plan
from prism.routing.sticking import Held

from .tables import (
    BALANCED,
    CODE,
    ECO,
    MODELS,
    SPORT,
    VISION,
    catalog,
    classified,
    policy,
    signals,
    table,
)

# eco: tiny .5 (acorn), small .6 (birch), medium .75 (acorn)
# balanced: medium .75 (acorn), large .85 (birch); sport: huge .95 (cedar), large, medium, small
TALK = "0123456789abcdef"
RACING = Racing(frozenset({SPORT}), Wait.FIXED, 0, 1.0, None)


@dataclass(frozen=True)
class Case:
    """What is remembered and asked, the models that must be tried, and words of a reason."""

    id: str
    held: Held | None
    models: tuple[str, ...]
    says: str = ""
    asks: dict[str, Any] = field(default_factory=dict)
    policy: Policy | None = None
    failing: frozenset[str] = frozenset()


def held(model: str, age_s: float = 60.0, mode: Mode = BALANCED) -> Held:
    return Held(model, mode, age_s)


CASES = [
    Case("nothing-remembered", None, ("medium", "large")),
    Case("same-model", held("medium"), ("medium", "large"), "stays: answered 60 s ago"),
    Case("stays-on-the-second", held("large"), ("large", "medium"), "stays"),
    Case("stays-outside-its-cell", held("huge"), ("huge", "medium", "large"), "stays"),
    Case("up-when-much-better", held("small"), ("medium", "large"), "moves up to medium"),
    Case("not-up-for-little", held("spare"), ("spare", "medium", "large"), "stays"),
    Case("cold", held("large", 300.0), ("medium", "large"), "cache is taken to be cold"),
    Case("just-warm", held("large", 299.9), ("large", "medium"), "stays"),
    Case("other-mode", held("large", mode=SPORT), ("medium", "large"), "in mode sport"),
    Case(
        "tools-keep-it-though-cold",
        held("huge", 9e4),
        ("huge", "medium", "large"),
        "tools are at work",
        {"tools_at_work": True},
    ),
    Case(
        "tools-keep-it-in-another-mode",
        held("huge", mode=SPORT),
        ("huge", "medium", "large"),
        "tools are at work",
        {"tools_at_work": True},
    ),
    Case(
        "tools-may-move-up",
        held("tiny"),
        ("medium", "large"),
        "moves up to medium",
        {"tools_at_work": True},
    ),
    Case(
        "failing",
        held("large"),
        ("medium", "large"),
        "failing now",
        failing=frozenset({"large"}),
    ),
    Case(
        "failing-in-a-tool-loop",
        held("huge"),
        ("medium", "large"),
        "failing now",
        {"tools_at_work": True},
        failing=frozenset({"huge"}),
    ),
    Case(
        "no-up-to-one-that-fails",
        held("small"),
        ("small", "medium", "large"),
        "stays",
        failing=frozenset({"medium", "large"}),
    ),
    Case(
        "denied-by-policy",
        held("huge"),
        ("medium", "large"),
        "denied by policy acme",
        policy=policy(denied_models=frozenset({"huge"})),
    ),
    Case(
        "out-of-region",
        held("huge", 1.0),
        ("medium",),
        "region us is not allowed",
        policy=policy(allowed_regions=frozenset({"eu"})),
    ),
    Case("gone", held("gone"), ("medium", "large"), "no longer in the table"),
    Case(
        "lacks-a-need",
        held("small"),
        ("medium", "large"),
        "lacks vision",
        {"needs": frozenset({VISION})},
    ),
    Case(
        "over-a-limit",
        held("huge"),
        ("large", "medium"),
        "estimated cost",
        {"limits": Limits(max_cost=0.03)},
    ),
    Case("a-pin-wins", held("huge"), ("large",), "", {"pin": "large"}),
    Case(
        "a-forced-model-wins",
        held("huge"),
        ("small",),
        "",
        policy=policy(forced=(Forced(CODE, None, "small"),)),
    ),
    Case(
        "sealed-stays-at-its-provider",
        held("spare", 9e9, ECO),
        ("spare",),
        "sealed by cedar",
        {"sealed": True},
    ),
    Case(
        "sealed-fails-over-within-it",
        held("large"),
        ("large", "small"),
        "sealed by birch",
        {"sealed": True, "mode": SPORT},
        failing=frozenset({"small"}),
    ),
    Case(
        "sealed-though-failing",
        held("large"),
        ("small", "large"),
        "sealed by birch",
        {"sealed": True, "mode": SPORT},
        failing=frozenset({"large"}),
    ),
    Case(
        "sealed-by-a-model-that-is-denied-now",
        held("large"),
        ("small",),
        "sealed by birch",
        {"sealed": True, "mode": SPORT},
        policy=policy(denied_models=frozenset({"large"})),
    ),
    Case(
        "policy-wins-over-a-seal",
        held("large"),
        ("medium",),
        "not among the allowed",
        {"sealed": True},
        policy=policy(allowed_models=frozenset({"medium"})),
    ),
]


def decided(case: Case, *, racing: bool = False) -> Decision:
    made = table(racing=RACING) if racing else table()
    policies = () if case.policy is None else (case.policy,)
    plan = compile_plan(catalog(*policies, tables=(made,)))
    return decide(
        plan,
        Caller(case.policy, made),
        signals(conversation=TALK, **case.asks),
        classified(),
        Health(case.failing),
        held=case.held,
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_what_a_conversation_does(case: Case) -> None:
    decision = decided(case)
    assert decision.models == case.models
    said = [r.text for r in decision.reasons if r.step is Step.CONVERSATION]
    assert bool(said) is bool(case.says)
    assert case.says in " ".join(said)


@pytest.mark.parametrize("tools", [False, True])
def test_nothing_races_while_tools_are_at_work(tools: bool) -> None:
    asks = {"mode": SPORT, "tools_at_work": tools}
    case = Case("raced", held("huge", mode=SPORT), (), asks=asks)
    assert decided(case, racing=True).race is not tools


def test_a_spent_budget_wins_over_tools_at_work() -> None:
    soft = Budget(Period.DAY, 40.0, WhenSpent.ECO)
    payer, made = policy(budgets=(soft,)), table()
    spent = {(soft.period, soft.action): Spent(41.0, False, True, 2_000_000_000, 100)}
    plan = compile_plan(catalog(payer, tables=(made,)))
    asked = signals(conversation=TALK, tools_at_work=True)
    caller, known = Caller(payer, made), held("huge", mode=SPORT)
    made_of = decide(plan, caller, asked, classified(), Health(), spending=spent, held=known)
    assert made_of.models == ("tiny", "small", "medium")
    known = held("medium", mode=ECO)
    made_of = decide(plan, caller, asked, classified(), Health(), spending=spent, held=known)
    assert made_of.models == ("medium", "tiny", "small")


def test_equal_models_are_ordered_by_conversation_and_the_same_everywhere() -> None:
    twins = tuple(replace(MODELS[2], name=name) for name in ("one", "two", "three"))
    cells = dict.fromkeys(table().cells, tuple(twin.name for twin in twins))
    made = table(models={twin.name: twin for twin in twins}, cells=cells)
    plan = compile_plan(catalog(tables=(made,)))
    firsts = set()
    for number in range(40):
        asked = signals(conversation=f"{number:016x}", limits=Limits(min_quality=0.1))
        chosen = {
            decide(plan, Caller(None, made), asked, classified(), Health()).models for _ in range(2)
        }
        (order,) = chosen
        assert list(order) == sorted(order, key=lambda name: ranked(asked.conversation, name))
        firsts.add(order[0])
    assert firsts == {"one", "two", "three"}
