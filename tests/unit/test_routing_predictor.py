"""Predictors: which numbers are added to a table's qualities, and what order comes of it."""

from __future__ import annotations

import array
import json
from dataclasses import replace
from typing import Any

import pytest

from prism.exchange.steps import Reply
from prism.routing.bounds import Limits
from prism.routing.catalog import Predictor
from prism.routing.decide import Health, decide
from prism.routing.decision import Decision, Step
from prism.routing.identify import Caller
from prism.routing.plan import compile_plan
from prism.routing.predictor import corrected
from prism.routing.record import Record, replay
from prism.routing.signals import Classification, Corrections, Hidden

from .stages import encoded, live, routed
from .tables import BALANCED, CODE, ECO, SPORT, catalog, classified, policy, signals, table

FILE = "ab" * 32
PREDICTOR = Predictor(
    digest="one",
    classifier=FILE,
    trade={ECO: 0.4, BALANCED: 0.1, SPORT: 0.0},
    # Of the candidates of sport, huge is left as the table has it.
    weights={"large": (1.0, -0.5, 0.01), "medium": (0.0, 0.5, 0.0), "small": (0.0, 0.0, -1.0)},
)


def hidden(*values: float, classifier: str = FILE) -> Classification:
    row = memoryview(array.array("f", values))
    return replace(classified(CODE), hidden=Hidden(classifier, row))


def decided(found: Classification, **asked: Any) -> Decision:
    tab = table(predictor=PREDICTOR)
    plan = compile_plan(catalog(tables=(tab,)))
    return decide(plan, Caller(None, tab), signals(**asked), found, Health())


def corrections(**by_model: float) -> Classification:
    return replace(classified(CODE), corrections=Corrections("one", by_model))


def test_corrections_are_the_weighted_sum_and_the_constant() -> None:
    found = corrected(PREDICTOR, hidden(0.5, 0.25))
    assert found.corrections == Corrections("one", {"large": 0.385, "medium": 0.125, "small": -1.0})
    assert found.hidden is None


@pytest.mark.parametrize(
    ("predictor", "found"),
    [
        (None, hidden(0.5, 0.25)),
        (PREDICTOR, hidden(0.5, 0.25, classifier="cd" * 32)),
        (PREDICTOR, classified(CODE)),
    ],
    ids=["no-predictor", "another-classifier", "a-classifier-without-hidden"],
)
def test_what_does_not_fit_corrects_nothing(
    predictor: Predictor | None, found: Classification
) -> None:
    found = corrected(predictor, found)
    assert found.corrections is None
    assert found.hidden is None


def test_weights_of_another_size_correct_nothing() -> None:
    assert corrected(PREDICTOR, hidden(0.5)).corrections == Corrections("one", {})


@pytest.mark.parametrize(
    ("mode", "models"),
    [
        # Qualities 0.95, 0.95, 0.80, 0.0: of equals at no price the cell's order.
        (SPORT, ("huge", "large", "medium")),
        # medium costs a quarter of large: 0.80 - 0.025 is less than 0.95 - 0.1.
        (BALANCED, ("large", "medium")),
        # 0.75 + 0.05 - 0.4 of medium, 0.5 - 0.04 of tiny, 0 - 0.08 of small.
        (ECO, ("tiny", "medium", "small")),
    ],
)
def test_the_cell_is_ordered_by_quality_against_cost(mode: Any, models: tuple[str, ...]) -> None:
    decision = decided(corrections(large=0.1, medium=0.05, small=-0.6), mode=mode)
    assert decision.models == models
    said = next(r for r in decision.reasons if r.text.startswith("by predicted quality"))
    assert said.step is Step.CELL
    assert f"{models[0]} " in said.text


def test_predictions_stay_within_0_and_1() -> None:
    decision = decided(corrections(large=9.0, medium=-9.0), mode=SPORT)
    assert "large 1.00, huge 0.95, small 0.60, medium 0.00" in str(decision.reasons)


def test_corrections_of_another_predictor_leave_the_cell_alone() -> None:
    other = replace(classified(CODE), corrections=Corrections("other", {"medium": 0.9}))
    decision = decided(other, mode=SPORT)
    assert decision.models == ("huge", "large", "medium")
    assert any(r.text.startswith("not predicted for this prompt") for r in decision.reasons)


def test_the_requests_own_limits_order_after_it() -> None:
    decision = decided(corrections(large=0.1), mode=SPORT, limits=Limits(min_quality=0.7))
    assert decision.models == ("medium", "large", "huge")


def test_a_record_keeps_corrections_and_decides_again() -> None:
    tab = table(predictor=PREDICTOR)
    plan = compile_plan(catalog(policy(), tables=(tab,)))
    known, asked = corrections(medium=0.3), signals(mode=SPORT)
    decision = decide(plan, Caller(policy(), tab), asked, known, Health())
    record = Record("d", 0.0, plan.version, asked, known, Health(), True, decision)
    again = Record.from_json_dict(json.loads(json.dumps(record.to_json_dict())))
    assert again == record
    assert replay(plan, again) == decision


def test_the_route_stage_predicts_and_keeps_nothing_of_the_prompt() -> None:
    made = catalog(tables=(table(predictor=PREDICTOR),))
    answer = routed(
        encoded(prism={"mode": "sport"}),
        path="/v1/prism/route",
        live=live(made),
        classification=hidden(0.2, 0.0),
    )
    assert isinstance(answer, Reply)
    said = json.loads(answer.body)
    assert said["models"] == ["large", "huge", "medium"]
    assert said["classification"]["corrections"]["byModel"]["large"] == 0.21
    assert "hidden" not in said["classification"]
