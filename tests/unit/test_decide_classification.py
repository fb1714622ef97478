"""When the classifier is asked, and what a decision says without it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from prism.routing.catalog import Forced, Policy, Task
from prism.routing.decide import Health, decide, needs_classification
from prism.routing.identify import Caller
from prism.routing.plan import compile_plan
from prism.routing.signals import Classification

from .tables import CODE, COMPLEX, ECO, SIMPLE, catalog, classified, policy, signals, table


def forced(*models: str, **changes: Any) -> Policy:
    rules = tuple(Forced(task, None, name) for task, name in zip(Task, models, strict=False))
    return policy(forced=rules, **changes)


@pytest.mark.parametrize(
    ("held", "asks", "needed"),
    [
        pytest.param(None, {}, True, id="auto"),
        pytest.param(None, {"pin": "huge"}, False, id="pin"),
        pytest.param(None, {"model": "huge"}, False, id="named-model"),
        pytest.param(None, {"model": "nope"}, False, id="refused-anyway"),
        pytest.param(forced("huge"), {}, True, id="forced-for-one-task"),
        pytest.param(forced("huge"), {"pin": "tiny"}, True, id="pin-may-be-overruled"),
        pytest.param(forced("huge"), {"pin": "huge"}, False, id="pin-of-the-forced-model"),
        pytest.param(forced(*["huge"] * 4), {}, False, id="one-model-forced-for-all"),
        pytest.param(forced(*["huge"] * 3, "tiny"), {}, True, id="two-models-forced"),
        pytest.param(
            policy(forced=(Forced(CODE, ECO, "huge"),)), {}, True, id="forced-in-another-mode"
        ),
        pytest.param(
            policy(forced=(Forced(CODE, ECO, "huge"),)),
            {"pin": "tiny"},
            False,
            id="pin-forced-in-another-mode",
        ),
    ],
)
def test_needs_classification(held: Policy | None, asks: dict[str, Any], needed: bool) -> None:
    tab = table()
    plan = compile_plan(catalog(*([held] if held else []), tables=(tab,)))
    caller, asked = Caller(held, tab), signals(**asks)
    assert needs_classification(plan, caller, asked) is needed
    # What it promises: where no task is needed, every task gives the same models.
    outcomes = {decide(plan, caller, asked, classified(t), Health()).models for t in Task}
    assert needed or len(outcomes) == 1
    decision = decide(plan, caller, asked, None, Health())
    assert decision.degraded == ("no classification was given" if needed else None)
    assert (decision.task, decision.confidence) == (COMPLEX, None)


def test_a_sure_classification_is_taken_whatever_is_said_of_degradation() -> None:
    tab = table()
    plan = compile_plan(catalog(tables=(tab,)))
    caller = Caller(None, tab)
    decision = decide(plan, caller, signals(), classified(CODE), Health(), degraded="late")
    assert (decision.task, decision.degraded, decision.confidence) == (CODE, None, 0.9)


def test_a_confidence_that_is_no_number_counts_as_unsure() -> None:
    tab = table()
    plan = compile_plan(catalog(tables=(tab,)))
    unsure = Classification(CODE, float("nan"), {})
    decision = decide(plan, Caller(None, tab), signals(), unsure, Health())
    assert (decision.task, decision.degraded) == (
        COMPLEX,
        "abstained: code with confidence nan < 0.50",
    )


def test_an_unsure_classification_leaves_its_confidence_in_the_decision() -> None:
    tab = table()
    plan = compile_plan(catalog(tables=(tab,)))
    caller = Caller(None, tab)
    decision = decide(plan, caller, signals(), classified(SIMPLE, 0.41), Health())
    assert (decision.task, decision.confidence) == (COMPLEX, 0.41)
    assert decision.degraded == "abstained: simple with confidence 0.41 < 0.50"


@pytest.mark.parametrize("task", Task)
@pytest.mark.parametrize("on", [(), (Task.SIMPLE,), (Task.CODE, Task.REASONING), tuple(Task)])
def test_only_the_answers_that_a_table_lists_need_the_confidence(
    task: Task, on: tuple[Task, ...]
) -> None:
    settings = replace(table().classifier, abstain_on=frozenset(on), safe_task=Task.REASONING)
    tab = table(classifier=settings)
    plan = compile_plan(catalog(tables=(tab,)))
    for confidence, enough in ((0.49, False), (0.5, True)):
        found = classified(task, confidence)
        decision = decide(plan, Caller(None, tab), signals(), found, Health())
        abstained = task in on and not enough
        assert decision.task == (Task.REASONING if abstained else task)
        assert (decision.degraded is not None) is abstained
