"""Evaluation of tables, on outcomes small enough to check by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from prism.calibrate.outcomes import Outcome
from prism.cli import main
from prism.evaluate.evaluation import area, evaluate
from prism.evaluate.graded import Graded, graded
from prism.evaluate.strategies import Strategy, first_choices
from prism.resources import has_errors, read_text, to_table
from prism.routing.catalog import MODES, Mode, Table, Task
from prism.routing.signals import Classification

CODE, SIMPLE = Task.CODE, Task.SIMPLE
TABLE = """\
apiVersion: routing.prism.dev/v1alpha1
kind: RoutingTable
metadata: {name: default}
spec:
  providers: [{name: p, baseURL: "https://p.test/v1"}]
  models:
    - &m
      name: large
      provider: p
      contextLength: 100000
      price: {inputPerMillion: 10, outputPerMillion: 10}
      quality: {simple: 0.9, code: 0.9, reasoning: 0.9, complex: 0.9}
      latency: {timeToFirstTokenMs: 100, tokensPerSecond: 50}
    - {<<: *m, name: small, price: {inputPerMillion: 1, outputPerMillion: 1}}
  cells:
    simple: {eco: [small], balanced: [small], sport: [small, large]}
    code: {eco: [small], balanced: [large], sport: [large]}
    reasoning: {eco: [small], balanced: [large], sport: [large]}
    complex: {eco: [small], balanced: [large], sport: [large]}
"""


def table(more: str = "") -> Table:
    (resource,), problems = read_text(TABLE + more, "table.yaml")
    assert not has_errors(problems)
    return to_table(resource)


def prompt(name: str, task: Task, large: float, small: float) -> Graded:
    scores, costs = {"large": large, "small": small}, {"large": 10.0, "small": 1.0}
    return Graded(name, read(task), task, scores, costs)


def read(task: Task, confidence: float = 1.0) -> Classification:
    return Classification(task, confidence, {task: confidence})


PROMPTS = [
    prompt("a", CODE, 1, 0),
    prompt("b", CODE, 1, 1),
    prompt("c", SIMPLE, 1, 1),
    prompt("d", SIMPLE, 0, 1),
]


def test_the_engine_says_where_a_request_goes() -> None:
    code, simple = PROMPTS[0], PROMPTS[2]
    found = [first_choices(table(), mode, [code, simple]) for mode in MODES]
    assert found == [["small", "small"], ["large", "small"], ["large", "small"]]


def test_each_table_abstains_by_its_own_rule() -> None:
    unsure = Graded("u", read(SIMPLE, 0.6), SIMPLE, {}, {})
    assert first_choices(table(), Mode.BALANCED, [unsure]) == ["large"]
    trusting = table("  classifier: {abstainBelow: 0.5}\n")
    assert first_choices(trusting, Mode.BALANCED, [unsure]) == ["small"]


def test_every_strategy_is_as_good_and_as_dear_as_by_hand() -> None:
    found = evaluate(PROMPTS, {"t": table()}, resamples=200, seed=1)
    means = {r.name: (r.quality.value, r.cost.value) for r in found.results}
    assert means == {
        "t eco": (0.75, 1.0),
        "t balanced": (1.0, 5.5),
        "t sport": (1.0, 5.5),
        "large": (0.75, 10.0),
        "small": (0.75, 1.0),
        "random": (0.75, 5.5),
        "oracle": (1.0, 3.25),
    }
    # Of equally good models the cheaper is the best.
    assert (found.best, found.cheapest) == ("small", "small")
    balanced = next(r for r in found.results if r.name == "t balanced")
    assert balanced.quality_ratio.value == pytest.approx(4 / 3)
    assert balanced.regret == {CODE: 0.0, SIMPLE: 0.0}
    eco = next(r for r in found.results if r.name == "t eco")
    assert eco.regret == {CODE: 0.5, SIMPLE: 0.0}


def test_intervals_hold_the_value_and_the_seed_decides_them() -> None:
    once, again, other = (evaluate(PROMPTS, {"t": table()}, 200, seed) for seed in (1, 1, 2))
    assert once == again
    assert once != other
    for result in once.results:
        for found in (result.quality, result.cost, result.quality_ratio, result.cost_ratio):
            assert found.low <= found.value <= found.high
    # A constant cost has no interval, as a ratio to itself has none.
    small = next(r for r in once.results if r.name == "small")
    assert (small.cost.low, small.cost.high) == pytest.approx((1.0, 1.0))
    assert (small.quality_ratio.low, small.quality_ratio.high) == pytest.approx((1.0, 1.0))


def strategy(name: str, score: float, cost: float) -> Strategy:
    return Strategy(name, "model", (score,), (cost,))


def test_the_area_is_that_under_the_hull() -> None:
    cheap, best = strategy("cheap", 0.4, 0.0), strategy("best", 0.8, 10.0)
    assert area([cheap, best], cheap, best) == pytest.approx(0.6)
    middle = strategy("middle", 0.8, 5.0)
    # Rises to 0.8 at half the budget, then level.
    assert area([cheap, middle, best], cheap, best) == pytest.approx(0.7)
    below = strategy("below", 0.5, 5.0)
    assert area([cheap, below, best], cheap, best) == pytest.approx(0.6)
    assert area([best], best, best) == 0.8


def test_only_prompts_that_every_model_answered_count() -> None:
    rows = [
        Outcome("a", "large", 1.0, CODE, 2.0, None),
        Outcome("a", "small", 0.0, CODE, None, None),
        Outcome("a", "small", 1.0, CODE, None, None),
        Outcome("b", "large", 1.0, CODE, None, None),
        Outcome("c", "large", 1.0, None, None, None),
        Outcome("c", "small", None, None, None, None),
        Outcome("c", "other", 1.0, None, None, None),
    ]
    found, left_out = graded(
        rows, lambda o: read(o.task) if o.task else None, lambda *_: 7.0, ["large", "small"]
    )
    assert found == [
        Graded("a", read(CODE), CODE, {"large": 1.0, "small": 0.5}, {"large": 2.0, "small": 7.0})
    ]
    assert left_out == {
        "outcomes without a score": 1,
        "outcomes of models that no table has": 1,
        "prompts that not every model answered": 1,
        "prompts without a task, and no text to tell it from": 1,
    }


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "t.yaml").write_text(TABLE)
    rows = [f"{p.prompt},{m},{s},{p.real}" for p in PROMPTS for m, s in p.scores.items()]
    (tmp_path / "o.csv").write_text("\n".join(["prompt,model,score,task", *rows]))
    return tmp_path


def run(*args: str) -> Result:
    return CliRunner().invoke(main, ["evaluate", *args])


def test_the_command_prints_a_table_or_json(files: Path) -> None:
    inputs = [str(files / "t.yaml"), "--outcomes", str(files / "o.csv"), "--resamples", "50"]
    result = run(*inputs)
    assert result.exit_code == 0, result.output
    assert "4 prompts: simple 2, code 2" in result.stdout
    assert "Best model small, cheapest small." in result.stdout
    said = json.loads(run(*inputs, "--output", "json").stdout)
    assert said["prompts"] == 4
    assert {r["name"] for r in said["results"]} >= {"t eco", "oracle", "random", "large"}
    # Not measured, so by list price: 800 tokens in and out of a code task, 200 and 200.
    large = next(r for r in said["results"] if r["name"] == "large")
    assert large["cost"]["value"] == pytest.approx((1600 + 400) / 2 * 10 / 1e6)


def test_prompts_are_routed_as_the_classifier_reads_them(files: Path) -> None:
    moon, fix = "who was the first person on the moon", "fix this python: prnt('hi')"
    texts = {"a": moon, "b": fix, "c": fix, "d": moon}
    lines = [json.dumps({"id": name, "text": text}) for name, text in texts.items()]
    (files / "p.jsonl").write_text("\n".join(lines))
    inputs = [str(files / "t.yaml"), "--outcomes", str(files / "o.csv"), "--output", "json"]
    result = run(*inputs, "--prompts", str(files / "p.jsonl"), "--classify", "--resamples", "9")
    said = json.loads(result.stdout)
    balanced = next(r for r in said["results"] if r["name"] == "t balanced")
    # a is read as simple and gets the small model, which fails; regret is by the real task.
    assert balanced["regret"] == {"code": 0.5, "simple": 0.0}


@pytest.mark.parametrize(
    ("outcomes", "message"),
    [
        ("prompt,model,score,task\n", "no prompt is left: the outcomes are empty"),
        ("prompt,model,score,task\na,other,1,code\n", "1 outcomes of models that no table has"),
        ("prompt,model,score,task\na,large,2,code\n", "score is '2'"),
    ],
)
def test_what_says_nothing_is_an_error(files: Path, outcomes: str, message: str) -> None:
    (files / "o.csv").write_text(outcomes)
    result = run(str(files / "t.yaml"), "--outcomes", str(files / "o.csv"))
    assert result.exit_code == 1
    assert message in result.output
