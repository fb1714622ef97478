"""Feedback moves a table's qualities: relative to each other, and few answers hardly."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from tests.ledger.entries import START_S, decided, ended, write

from prism.calibrate.feedback import moved
from prism.calibrate.outcomes import Outcome
from prism.calibrate.settings import Broken, Settings
from prism.calibrate.tally import Tally, count
from prism.cli import main
from prism.cli.calibrate import read_table
from prism.ledger.address import Address
from prism.ledger.feedback import keep_feedback
from prism.ledger.store import Store
from prism.routing.feedback import Feedback

from .tables import CODE, SIMPLE, table

DEMO = Path(__file__).parents[2] / "examples" / "demo" / "table.yaml"
SETTINGS = Settings(min_samples=30)


def grades(**shares: tuple[int, int]) -> Tally:
    """Thumbs at code: of ``(up, all)`` answers of each model."""
    rows = [
        Outcome(f"{model}-{number}", model, float(number < up), CODE, None, None)
        for model, (up, whole) in shares.items()
        for number in range(whole)
    ]
    return count(rows, lambda row: row.task)


def quality(tally: Tally, model: str) -> float:
    return moved(table(), tally, SETTINGS).found[model, CODE].value


def test_what_people_find_better_rises_and_the_other_falls() -> None:
    # The table says 0.75 and 0.85; people like both, and medium more.
    tally = grades(medium=(1900, 2000), large=(1700, 2000))
    medium, large = quality(tally, "medium"), quality(tally, "large")
    assert medium > large
    assert 0.75 < medium < 0.95
    # The level stays the table's: that people are content is not what benchmarks measure.
    assert medium + large == pytest.approx(0.75 + 0.85, abs=0.01)


def test_equal_contentment_with_all_moves_them_together_only_as_far_as_it_must() -> None:
    tally = grades(tiny=(4500, 5000), huge=(4500, 5000))
    tiny, huge = quality(tally, "tiny"), quality(tally, "huge")
    assert 0.5 < tiny < huge < 0.95


def test_few_answers_move_little_and_many_much() -> None:
    few = quality(grades(medium=(38, 40), large=(20, 40)), "medium") - 0.75
    many = quality(grades(medium=(950, 1000), large=(500, 1000)), "medium") - 0.75
    assert 0 < few < many
    found = moved(table(), grades(medium=(38, 40), large=(20, 40)), SETTINGS).found
    point = found["medium", CODE]
    assert point.low is not None
    assert point.high is not None
    assert point.low < point.value < point.high
    assert point.high - point.low > 0.05


def test_thirty_of_thirty_do_not_prove_perfection() -> None:
    assert quality(grades(small=(30, 30), huge=(30, 30)), "small") < 0.7


def test_too_few_answers_change_nothing_and_are_named() -> None:
    tally = grades(medium=(40, 50), large=(50, 50), small=(0, 29))
    found = moved(table(), tally, SETTINGS)
    assert found.found["small", CODE].value == 0.6
    assert found.notes == ("code: under 30 graded answers, unchanged: small (29)",)
    assert found.found["medium", SIMPLE].value == 0.75


def test_a_model_alone_can_be_compared_with_none() -> None:
    with pytest.raises(Broken, match="only medium has 30 graded answers: no comparison"):
        moved(table(), grades(medium=(400, 500)), SETTINGS)
    with pytest.raises(Broken, match="nothing was graded"):
        moved(table(), grades(), SETTINGS)


def test_models_that_the_table_no_longer_has_are_left_out() -> None:
    tally = grades(medium=(40, 50), large=(50, 50), gone=(0, 500))
    assert ("gone", CODE) not in moved(table(), tally, SETTINGS).found


def ledger(path: Path, models: dict[str, float], answers: int) -> Path:
    """A ledger with graded answers of code, each model content with its share of them."""
    store = Store(Address.file(path))
    store.prepare()
    for place, (model, share) in enumerate(models.items()):
        records = [decided(place * answers + number) for number in range(answers)]
        outcomes = [ended(record) for record in records]
        outcomes = [o._replace(outcome=_by(o.outcome, model)) for o in outcomes]
        write(store, records, outcomes)
        with store.writing() as connection:
            for number, record in enumerate(records):
                score = float(number < share * answers)
                keep_feedback(connection, Feedback(record.decision_id, score), START_S)
    store.close()
    return path


def _by(outcome: object, model: str) -> object:
    from dataclasses import replace

    return replace(outcome, model=model)  # type: ignore[type-var]


def calibrate(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, ["calibrate", "--base", str(DEMO), *arguments])
    return result.exit_code, result.stdout, result.stderr


def test_a_table_from_the_ledger(tmp_path: Path) -> None:
    first, second, *_ = read_table(DEMO).models
    path = ledger(tmp_path / "ledger.db", {first: 0.95, second: 0.55}, 200)
    code, text, said = calibrate("--from-ledger", str(path))
    assert code == 0, said
    assert "moved by 400 graded answers of the ledger" in " ".join(text.replace("#", "").split())
    new = {m["name"]: m["quality"] for m in yaml.safe_load(text)["spec"]["models"]}
    old = read_table(DEMO).models
    assert new[first]["code"] > old[first].quality[CODE]
    assert new[second]["code"] < old[second].quality[CODE]
    assert new[first]["simple"] == old[first].quality[SIMPLE]
    # The same ledger gives the same bytes.
    assert calibrate("--from-ledger", str(path))[1] == text


def test_a_ledger_with_too_little_is_refused(tmp_path: Path) -> None:
    first, second, *_ = read_table(DEMO).models
    path = ledger(tmp_path / "ledger.db", {first: 0.95, second: 0.55}, 10)
    code, text, said = calibrate("--from-ledger", str(path))
    assert (code, text) == (1, "")
    assert "code: under 30 graded answers, unchanged:" in said
    code, _, said = calibrate("--from-ledger", str(tmp_path / "none.db"))
    assert code == 1
    assert "there is no ledger at" in said
    assert calibrate()[0] == 2
