"""Predictors made by calibration: what they learn, what they are worth, what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from click.testing import CliRunner, Result

from prism.calibrate.answers import Answers
from prism.calibrate.build import Calibrated, calibrate
from prism.calibrate.doubts import doubts
from prism.calibrate.measured import Listed, Measured, Sample
from prism.calibrate.predict import Worth, choose_trades, curve, fit, picked
from prism.calibrate.settings import Broken, Settings
from prism.cli import main
from prism.resources.halves import half_floats
from prism.routing.catalog import MODES, TASKS, Mode, Price, Task

from .calibrating import ORIGIN, base

CODE = Task.CODE
PROMPTS = Path(__file__).parents[2] / "training" / "prompts.jsonl"


def answers(count: int = 400, seed: int = 0, told: float = 1.0) -> Answers:
    """Prompts whose first number says, as far as ``told``, whether small is right; large is
    right at four of five, whatever it says."""
    chance = np.random.default_rng(seed)
    hidden = chance.normal(size=(count, 4))
    small = (hidden[:, 0] * told + chance.normal(size=count) * (1 - told) > 0).astype(float)
    large = (chance.random(count) < 0.8).astype(float)
    scores = np.stack([large, small], axis=1)
    return Answers(("large", "small"), (CODE,) * count, scores, hidden, "ab" * 32)


def calibrated(given: Answers) -> Calibrated:
    measured = []
    for place, (name, price) in enumerate((("large", 10.0), ("small", 1.0))):
        mean = float(given.scores[:, place].mean())
        squares = float(((given.scores[:, place] - mean) ** 2).sum())
        samples = {CODE: Sample(mean, len(given.scores), squares)}
        measured.append(
            Measured(name, samples, ORIGIN, Listed(Price(price, price, price, price), ORIGIN))
        )
    return calibrate(base("large", "small"), measured, {}, Settings(), given)


def test_what_the_numbers_tell_is_learned() -> None:
    given = answers()
    quality = {(name, task): 0.65 for name in given.models for task in TASKS}
    found = fit(given, quality)
    right = given.scores[:, 1] == 1
    assert found.predicted[right, 1].mean() > found.predicted[~right, 1].mean() + 0.4
    # Predictions are of prompts that were not fitted to: large cannot be told.
    assert abs(np.corrcoef(found.predicted[:, 0], given.scores[:, 0])[0, 1]) < 0.2
    weights = np.array(found.weights["small"])
    assert abs(weights[0]) > 5 * abs(weights[1:4]).max()


def test_where_nothing_can_be_told_the_table_is_left_as_it_is() -> None:
    given = answers(told=0.0)
    found = fit(given, {(name, task): 0.65 for name in given.models for task in TASKS})
    assert found.penalty >= 1000
    assert found.predicted[:, 1].std() < 0.1


def test_missing_answers_are_left_out_of_their_model_only() -> None:
    given = answers()
    scores = given.scores.copy()
    scores[::3, 1] = np.nan
    holed = Answers(given.models, given.tasks, scores, given.hidden, given.classifier)
    found = fit(holed, {(name, task): 0.65 for name in given.models for task in TASKS})
    assert np.isfinite(found.predicted).all()
    assert found.weights["large"] == pytest.approx(
        fit(given, {(n, t): 0.65 for n in given.models for t in TASKS}).weights["large"], abs=0.02
    )


def test_a_model_is_picked_as_the_engine_picks_it() -> None:
    worth, costs = np.array([[0.9, 0.8]]), np.array([[10.0, 1.0]])
    able = np.array([[True, True]])
    # Saving nine tenths of the cost is worth 0.09 at a trade of 0.1, 0.18 at 0.2.
    assert [int(picked(worth, costs, trade, able)[0]) for trade in (0.0, 0.1, 0.2)] == [0, 0, 1]
    assert int(picked(worth, costs, 0.0, np.array([[False, True]]))[0]) == 1


def test_a_mode_takes_the_cheapest_trade_within_its_tolerance() -> None:
    trades = [(0.0, Worth(1.0, 9.0)), (0.1, Worth(0.99, 5.0)), (0.2, Worth(0.95, 2.0))]
    tolerances = {Mode.ECO: 0.06, Mode.BALANCED: 0.02, Mode.SPORT: 0.0}
    assert choose_trades(trades, tolerances) == {
        Mode.ECO: 0.2,
        Mode.BALANCED: 0.1,
        Mode.SPORT: 0.0,
    }


def test_a_trade_that_may_owe_its_quality_to_luck_is_not_taken() -> None:
    """0.95 is within 6 % of 1, but not by 1.645 standard errors of 0.01."""
    trades = [(0.0, Worth(1.0, 9.0)), (0.1, Worth(0.98, 5.0, 0.01)), (0.2, Worth(0.95, 2.0, 0.01))]
    assert choose_trades(trades, {Mode.ECO: 0.06, Mode.BALANCED: 0.02}) == {
        Mode.ECO: 0.1,
        Mode.BALANCED: 0.0,
    }


def test_what_a_trade_is_worth_is_a_mean_with_its_error() -> None:
    """Four prompts, two models; the second way to choose differs at one prompt, in one of two
    repeats."""
    scores = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [1.0, np.nan]])
    given = Answers(("a", "b"), (CODE,) * 4, scores, np.zeros((4, 1)), "")
    costs = np.array([[4.0, 1.0]] * 4)
    best = np.array([0, 0, 1, 0])
    other = np.array([1, 0, 1, 0])
    first, second = curve(given, costs, [(best, best), (best, other)])
    assert first == Worth(1.0, 13 / 4)
    # By repeat 1 and 3/4; $3.25 and $2.50. It is 0, 0, 0 and 1/2 from the best.
    assert (second.quality, second.cost) == (7 / 8, (13 / 4 + 10 / 4) / 2)
    assert second.doubt == pytest.approx(np.std([-0.5, 0, 0, 0]) / 2)
    # A model that gave no answer tells nothing of that prompt.
    unknown = np.array([0, 0, 1, 1])
    assert curve(given, costs, [(best, best), (unknown, unknown)])[1] == Worth(1.0, 3.0)


def test_the_table_gets_a_predictor_and_says_what_it_is_worth() -> None:
    found = calibrated(answers())
    spec = found.document["spec"]["predictor"]
    assert spec["classifier"] == "ab" * 32
    assert {entry["name"] for entry in spec["models"]} == {"large", "small"}
    assert all(len(half_floats(entry["weights"])) == 5 for entry in spec["models"])
    assert found.predicted is not None
    balanced = found.predicted.by_mode[Mode.BALANCED]
    # small wherever it is right, else large: 0.9, where the best single model has 0.8.
    assert balanced.quality > found.predicted.single.quality + 0.05
    assert balanced.cost < found.predicted.single.cost * 0.75
    assert found.predicted.gains[Mode.BALANCED] > 0.05
    assert any("cross-validation over 400 prompts" in line for line in doubts(found))
    assert not any("leave --predict out" in line for line in doubts(found))


@pytest.mark.parametrize(
    ("gains", "spared", "pays"),
    [
        ((0.006, 0.0, -0.009), (0.0, 0.0, 0.0), True),
        ((0.004, 0.0, 0.0), (0.3, 0.0, 0.0), True),
        ((0.004, 0.0, 0.0), (0.05, 0.0, 0.0), False),
        ((0.1, 0.0, -0.011), (0.5, 0.0, 0.0), False),
    ],
)
def test_a_predictor_pays_where_it_is_better_or_cheaper_and_nowhere_worse(
    gains: tuple[float, ...], spared: tuple[float, ...], pays: bool
) -> None:
    found = calibrated(answers()).predicted
    assert found is not None
    by_mode = {
        "gains": dict(zip(MODES, gains, strict=True)),
        "spared": dict(zip(MODES, spared, strict=True)),
    }
    assert replace(found, **by_mode).pays is pays


def test_what_is_spared_is_of_no_less_quality() -> None:
    """large is always right, small at every second prompt, which its number tells."""
    chance = np.random.default_rng(1)
    hidden = chance.choice([-1.0, 1.0], size=(400, 1))
    scores = np.stack([np.ones(400), (hidden[:, 0] > 0).astype(float)], axis=1)
    given = Answers(("large", "small"), (CODE,) * 400, scores, hidden, "ab" * 32)
    found = calibrated(given).predicted
    assert found is not None
    # Half the prompts go to small, which costs a tenth.
    share = (hidden > 0).mean()
    assert found.spared[Mode.ECO] == pytest.approx(0.9 * share)
    assert found.by_mode[Mode.ECO].quality == 1


def test_a_predictor_that_is_no_better_is_called_so() -> None:
    assert any("leave --predict out" in line for line in doubts(calibrated(answers(told=0.0))))


def test_too_few_prompts_are_refused() -> None:
    with pytest.raises(Broken, match="needs 200 prompts or more, but there are 50"):
        calibrated(answers(50))


def run(*args: str) -> Result:
    return CliRunner().invoke(main, args)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Real prompts; small answers code and what is short, whatever the file calls it."""
    document = base("large", "small")
    for item, price in zip(document["spec"]["models"], (10, 1), strict=True):
        item["price"] = {"inputPerMillion": price, "outputPerMillion": price}
    (tmp_path / "base.yaml").write_text(yaml.safe_dump(document))
    lines = ["prompt,task,model,score"]
    for line in PROMPTS.read_text().splitlines():
        said: dict[str, Any] = json.loads(line)
        lines.append(f"{said['id']},simple,large,0.9")
        right = said["label"] == "code" or len(said["text"]) < 60
        lines.append(f"{said['id']},simple,small,{int(right)}")
    (tmp_path / "outcomes.csv").write_text("\n".join(lines))
    return tmp_path


def test_the_command_makes_a_predictor_that_evaluate_uses(files: Path) -> None:
    outcomes = ["--outcomes", str(files / "outcomes.csv"), "--prompts", str(PROMPTS)]
    made = files / "made.yaml"
    page = files / "report.html"
    inputs = ["--base", str(files / "base.yaml"), *outcomes, "--predict", "--out", str(made)]
    result = run("calibrate", *inputs, "--report", str(page))
    assert result.exit_code == 0, result.output
    assert "The predictor" in page.read_text()
    result = run("evaluate", str(made), *outcomes, "--classify", "--output", "json")
    assert result.exit_code == 0, result.output
    found = {line["name"]: line for line in json.loads(result.stdout)["results"]}
    balanced, large = found["made balanced"], found["large"]
    assert balanced["quality"]["value"] >= large["quality"]["value"] * 0.97
    assert balanced["cost"]["value"] < large["cost"]["value"] * 0.95
    unread = run("evaluate", str(made), *outcomes, "--resamples", "9")
    assert "its predictor does not count for 662 prompts: they were not" in unread.stderr
    # The same file again gives the same bytes.
    before = made.read_bytes()
    assert run("calibrate", *inputs).exit_code == 0
    assert made.read_bytes() == before


def test_a_predictor_is_kept_where_prompts_are_classified_and_it_pays(files: Path) -> None:
    inputs = ["--base", str(files / "base.yaml"), "--outcomes", str(files / "outcomes.csv")]
    prompts = ["--prompts", str(PROMPTS)]
    assert "predictor:" not in run("calibrate", *inputs, *prompts).stdout
    assert "predictor:" in run("calibrate", *inputs, *prompts, "--classify").stdout
    plain = run("calibrate", *inputs, *prompts, "--classify", "--no-predict")
    assert "predictor:" not in plain.stdout
    # Where small is right by chance alone, nothing can be told from prompts.
    text = (files / "outcomes.csv").read_text().splitlines()
    chance = np.random.default_rng(0).random(len(text)) < 0.5
    lines = [
        f"{line.rsplit(',', 1)[0]},{int(right)}" if ",small," in line else line
        for line, right in zip(text, chance, strict=True)
    ]
    (files / "outcomes.csv").write_text("\n".join(lines))
    result = run("calibrate", *inputs, *prompts, "--classify")
    assert result.exit_code == 0, result.output
    assert "predictor:" not in result.stdout
    assert "note: a predictor was tried; it is no better than the table without it" in result.stderr


def test_a_predictor_needs_single_answers(files: Path) -> None:
    (files / "rows.csv").write_text("model\nlarge\n")
    inputs = ["--base", str(files / "base.yaml"), "--models", str(files / "rows.csv")]
    result = run("calibrate", *inputs, "--predict")
    assert result.exit_code == 2
    assert "--predict needs --outcomes" in result.output


def test_a_new_calibration_drops_an_old_predictor() -> None:
    document = base("large", "small")
    document["spec"]["predictor"] = calibrated(answers()).document["spec"]["predictor"]
    measured = [
        Measured(name, {CODE: Sample(0.8)}, ORIGIN, Listed(Price(1, 1, 1, 1), ORIGIN))
        for name in ("large", "small")
    ]
    found = calibrate(document, measured, {}, Settings())
    assert "predictor" not in found.document["spec"]
    assert all(len(found.choice(task, mode).names) == 2 for task in TASKS for mode in MODES)
