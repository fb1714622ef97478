"""A table's numbers: where each is taken from, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.calibrating import ORIGIN, base, published

from prism.calibrate.build import abstaining, answer_tokens, calibrate, latency_of, read_base
from prism.calibrate.document import table_yaml
from prism.calibrate.doubts import doubts
from prism.calibrate.measured import Listed, Measured, Sample, Speed
from prism.calibrate.settings import Broken, Settings
from prism.resources import read_text
from prism.routing.catalog import TASKS, Mode, Price, Task
from prism.routing.cost import cost_usd, latency_ms
from prism.routing.signals import Classification

SETTINGS = Settings()


def test_prices_go_by_precedence_list_then_table_then_measurement() -> None:
    table = base("a", "b", "c")
    table["spec"]["models"][1]["price"] = {"inputPerMillion": 2, "outputPerMillion": 2}
    listed = {"a": Listed(Price(3, 3, 0.3, 3), ORIGIN)}
    found = calibrate(table, [published(n, 0.5) for n in "abc"], listed, SETTINGS)
    assert [found.table.models[name].price.input for name in "abc"] == [3, 2, 1]
    assert found.table.models["a"].price.cached_input == 0.3


def test_models_are_compared_by_the_one_cost_function() -> None:
    found = calibrate(base("a"), [published("a", 0.5)], {}, SETTINGS)
    (point,) = found.points[Task.CODE]
    assert point.cost == cost_usd(Price(1, 1, 1, 1), SETTINGS.input_tokens.code, 800)


def test_a_measured_cost_goes_before_a_reckoned_one() -> None:
    dear = Measured("dear", {t: Sample(0.5) for t in TASKS}, ORIGIN,
                    Listed(Price(0, 0, 0, 0), ORIGIN), cost=dict.fromkeys(TASKS, 1.0))  # fmt: skip
    found = calibrate(base("dear", "b"), [dear, published("b", 0.5)], {}, SETTINGS)
    assert found.choice(Task.CODE, Mode.ECO).names[0] == "b"


@pytest.mark.parametrize(("seconds", "tokens"), [(26.7, 87), (1.7, 984), (12.0, 599), (0.5, 1)])
def test_a_latency_gives_back_the_time_that_was_measured(seconds: float, tokens: float) -> None:
    latency = latency_of(Speed(seconds, tokens, ORIGIN), 80.0)
    assert latency_ms(latency, int(tokens)) == pytest.approx(seconds * 1000, rel=0.02)
    assert latency.time_to_first_token_ms > 0


@pytest.mark.parametrize(
    ("table", "measured", "message"),
    [
        (base("a", "b"), [published("a", 0.5)], "'b' of the table was not measured"),
        (base("a"), [published("a", 0.5, price=None)], "no price of the model 'a'"),
        (base("a"), [Measured("a", {}, ORIGIN, Listed(Price(1, 1, 1, 1), ORIGIN))], "no quality"),
        (base("a", retry={"maxAttempts": 9}), [published("a", 0.5)], "spec.retry.maxAttempts"),
    ],
)
def test_what_lacks_a_number_or_is_no_table_is_refused(
    table: dict[str, Any], measured: list[Measured], message: str
) -> None:
    with pytest.raises(Broken, match=message):
        calibrate(table, measured, {}, SETTINGS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "has 0 RoutingTables"),
        (b"a: [", "error"),
        (b"kind: RoutingTable\nkind: RoutingTable", "twice"),
        (b"kind: RoutingTable\nspec: 3", "must be a list of models"),
        (b"kind: RoutingTable\nspec: {models: [{provider: a}]}", "must be a list of models"),
        (b"kind: RoutingTable\n---\nkind: RoutingTable", "has 2 RoutingTables"),
        (b"\xff\xfe\xff", "error"),
    ],
)
def test_a_base_that_is_none_is_refused_with_its_file(text: bytes, message: str) -> None:
    with pytest.raises(Broken, match=message) as refused:
        read_base(text, "base.yaml")
    assert "base.yaml" in str(refused.value)


def test_the_document_is_a_table_that_reads_back_the_same() -> None:
    found = calibrate(base("a", "b"), [published("a", 0.5), published("b", 0.6)], {}, SETTINGS)
    text = table_yaml(found)
    resources, problems = read_text(text, "table.yaml")
    assert problems == []
    assert resources[0].generation == found.table.generation
    assert "# price: a test, 2026-11-27; quality: a test, 2026-11-27" in text


def test_answers_have_the_length_that_the_table_says() -> None:
    given = base("a", expectedOutputTokens={"code": 123})
    assert answer_tokens(given)[Task.CODE] == 123
    assert answer_tokens(given)[Task.SIMPLE] == answer_tokens(base("a"))[Task.SIMPLE] == 200


def test_doubts_name_a_near_miss_and_a_task_without_numbers() -> None:
    models = [
        published("best", 0.80, price=10),
        published("near", 0.78, price=1),  # 97.5 %: misses balanced's 98 %
        Measured("none", {}, ORIGIN, Listed(Price(0.1, 0.1, 0.1, 0.1), ORIGIN)),
    ]
    said = "\n".join(doubts(calibrate(base("best", "near", "none"), models, {}, SETTINGS)))
    assert "without saying of how many answers" in said
    assert "code, balanced: near costs 10% of best and misses the floor by 0.4 points" in said
    assert "none: not measured at code, so not chosen for it." in said


@pytest.mark.parametrize(
    ("said", "task", "confidence", "routed_by"),
    [
        ({}, "code", 0.4, "code"),
        ({}, "simple", 0.4, "complex"),
        ({}, "simple", 0.9, "simple"),
        ({"abstainOn": ["code"], "safeTask": "reasoning"}, "code", 0.4, "reasoning"),
        ({"abstainOn": []}, "simple", 0.4, "simple"),
    ],
)
def test_prompts_count_for_the_task_that_requests_are_routed_by(
    said: dict[str, Any], task: str, confidence: float, routed_by: str
) -> None:
    found = Classification(Task(task), confidence, {})
    assert abstaining({"spec": {"classifier": said}})(found) == routed_by
