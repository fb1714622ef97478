"""When the first two models of a decision race."""

from __future__ import annotations

import pytest

from prism.routing.bounds import Racing, Wait
from prism.routing.decide import Health, decide
from prism.routing.identify import Caller
from prism.routing.plan import compile_plan

from .rows import Row
from .tables import (
    BALANCED,
    CODE,
    SPORT,
    catalog,
    classified,
    policy,
    signals,
    table,
)

RACING = {"racing": Racing(frozenset({BALANCED}), Wait.FIXED, 50, 1.0, None)}


@pytest.mark.parametrize(
    ("row", "allowed", "races"),
    [
        pytest.param(Row("", table=RACING), True, True, id="two-providers"),
        pytest.param(Row("", table=RACING), False, False, id="share-used-up"),
        pytest.param(Row(""), True, False, id="table-races-no-mode"),
        pytest.param(Row("", table=RACING, asks={"mode": SPORT}), True, False, id="other-mode"),
        pytest.param(
            Row("", table=RACING, asks={"acts_at_provider": True}), True, False, id="hosted-tool"
        ),
        pytest.param(Row("", table=RACING, asks={"counts": True}), True, False, id="count"),
        pytest.param(Row("", table=RACING, asks={"pin": "huge"}), True, False, id="one-model"),
        pytest.param(
            Row("", policy=policy(allow_racing=False), table=RACING),
            True,
            False,
            id="policy-forbids",
        ),
        pytest.param(
            Row("", table=RACING, failing=frozenset({"large"})), True, False, id="second-fails"
        ),
        pytest.param(
            Row(
                "",
                table={**RACING, "cells": {**table().cells, (CODE, BALANCED): ("huge", "spare")}},
            ),
            True,
            False,
            id="one-provider",
        ),
    ],
)
def test_races(row: Row, allowed: bool, races: bool) -> None:
    tab = table(**row.table)
    plan = compile_plan(catalog(*([row.policy] if row.policy else []), tables=(tab,)))
    caller, health = Caller(row.policy, tab), Health(row.failing)
    decision = decide(plan, caller, signals(**row.asks), classified(), health, race_allowed=allowed)
    assert decision.race is races
    assert ("medium races large" in [reason.text for reason in decision.reasons]) is races


@pytest.mark.parametrize(
    ("wait", "wait_ms", "others"),
    [
        (Wait.FIXED, 50, "large, then medium"),
        (Wait.P95, 0, "large, then medium"),
        (Wait.FIXED, 0, "large"),
    ],
)
def test_the_reasons_name_all_that_may_start(wait: Wait, wait_ms: int, others: str) -> None:
    tab = table(racing=Racing(frozenset({SPORT}), wait, wait_ms, 1.0, None))
    plan = compile_plan(catalog(tables=(tab,)))
    decision = decide(plan, Caller(None, tab), signals(mode=SPORT), classified(), Health())
    assert decision.reasons[-1].text == f"huge races {others}"
    assert decision.models == ("huge", "large", "medium")


@pytest.mark.parametrize(
    ("asks", "held", "allowed", "why"),
    [
        ({}, {"allow_racing": False}, True, "policy acme denies racing"),
        ({"acts_at_provider": True}, {}, True, "which must not happen twice"),
        ({"counts": True}, {}, True, "tokens are only counted, which is over at once"),
        ({}, {}, False, "the share or the hourly cost of races is used up"),
    ],
    ids=["policy", "hosted-tool", "count", "bounds"],
)
def test_why_not(asks: dict[str, bool], held: dict[str, bool], allowed: bool, why: str) -> None:
    tab, acme = table(**RACING), policy(**held)
    plan = compile_plan(catalog(acme, tables=(tab,)))
    asked = signals(**asks)
    decision = decide(plan, Caller(acme, tab), asked, classified(), Health(), race_allowed=allowed)
    assert not decision.race
    assert decision.reasons[-1].text.startswith("not raced: ")
    assert decision.reasons[-1].text.endswith(why)
