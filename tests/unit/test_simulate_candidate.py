"""What a table and its candidate chose, compared: ``prism simulate --candidate``."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from prism.cli import main
from prism.ledger.address import Address
from prism.ledger.batch import write_batch
from prism.ledger.entry import Ended
from prism.ledger.store import Store
from prism.resources import compile_resources, read_folder
from prism.routing.decision import Step
from prism.routing.plan import compile_plan
from prism.routing.record import Outcome, Record
from prism.simulate.again import Untold, again
from prism.simulate.arms import Arms
from prism.simulate.tried import tried

from .tables import SIMPLE, classified, signals
from .test_decide_candidate import next_table, plan
from .test_decide_candidate import tried as decided

DEMO = Path(__file__).parents[2] / "examples" / "demo"
ANSWERED = Outcome(200, "acorn", "medium", 1, 2000, 500, 0, 100.0, 900.0)


def test_a_shadow_costs_what_the_same_tokens_would_have() -> None:
    made = plan(0)
    record = replace(decided(made), outcome=ANSWERED)
    found = tried(record, made, 0.5)
    assert (found.before, found.after) == ("medium", "small")
    assert found.cost_before == 0.5  # as measured
    # 2,000 tokens in and 500 out at $0.2 and $0.8 a million.
    assert found.cost_after == pytest.approx(0.0008)
    assert (found.quality_before, found.quality_after) == (0.75, 0.6)
    assert "cell (code, balanced): small, large" in found.why


def test_of_an_applied_candidate_the_table_s_choice_is_the_estimate() -> None:
    made = plan(100)
    outcome = replace(ANSWERED, provider="birch", model="small")
    found = tried(replace(decided(made), outcome=outcome), made, 0.25)
    assert (found.before, found.after, found.cost_after) == ("medium", "small", 0.25)
    assert found.cost_before == pytest.approx(0.004)


def test_where_both_agree_nothing_differs_whoever_answered() -> None:
    made = plan(0, other=next_table(cells=plan(0).tables["main"].cells))
    outcome = replace(ANSWERED, provider="birch", model="large", attempts=2)
    found = tried(replace(decided(made), outcome=outcome), made, 0.5)
    assert not found.moved
    assert (found.before, found.cost_before, found.cost_after) == ("large", 0.5, 0.5)


def test_without_an_outcome_both_are_estimated() -> None:
    made = plan(0)
    record = decided(made)
    found = tried(record, made)
    assert record.decision.estimate is not None
    assert found.cost_before == pytest.approx(record.decision.estimate.cost_usd)


def test_what_is_of_no_candidate_or_of_another_version_is_said() -> None:
    made = plan(0)
    with pytest.raises(Untold, match="no candidate"):
        tried(decided(made, pin="huge"), made)
    with pytest.raises(Untold, match="another version"):
        tried(decided(made), plan(0, other=next_table(generation="8")))


def test_each_arm_is_measured_by_task() -> None:
    arms, shadow, applied = Arms(), plan(0), plan(100)
    arms.add(replace(decided(shadow), outcome=ANSWERED), 0.2)
    arms.add(replace(decided(shadow), outcome=replace(ANSWERED, total_ms=1100.0)), 0.4)
    failed = replace(ANSWERED, status=503, model=None)
    arms.add(replace(decided(applied, known=classified(SIMPLE)), outcome=failed), None)
    said: Any = arms.as_json()
    assert said["code"]["table"] == {
        "decisions": 2,
        "failed": 0,
        "costUsd": pytest.approx(0.3),
        "totalMs": 1000.0,
    }
    assert said["simple"]["candidate"]["failed"] == 1
    assert said["all"]["candidate"]["costUsd"] is None


def test_a_new_candidate_is_simulated_with_its_share() -> None:
    """Decisions of before it was named, made again under a plan that names it."""
    without = plan(0, main=None)
    record = replace(decided(without), trial=None, other=None)
    record = replace(
        record,
        decision=replace(
            record.decision,
            reasons=tuple(r for r in record.decision.reasons if r.step is not Step.TABLE),
        ),
    )
    assert again(record, plan(0)).after == "medium"
    assert again(record, plan(100)).after == "small"


# The command, over the demo with a candidate.


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The demo, whose table has a candidate with the cells of eco in every mode."""
    made = tmp_path / "config"
    made.mkdir()
    (made / "policies.yaml").write_text((DEMO / "policies.yaml").read_text())
    document = yaml.safe_load((DEMO / "table.yaml").read_text())
    document["spec"]["candidate"] = {"table": "next", "percent": 50}
    (made / "table.yaml").write_text(yaml.safe_dump(document))
    del document["spec"]["candidate"]
    document["metadata"]["name"] = "next"
    for cells in document["spec"]["cells"].values():
        for mode in cells:
            cells[mode] = cells["eco"]
    (made / "next.yaml").write_text(yaml.safe_dump(document))
    return made


def records(folder: Path) -> list[Record]:
    """40 conversations of the demo's project, each answered by its first model."""
    resources, problems = read_folder(folder)
    assert not [p for p in problems if p.is_error]
    catalog, _ = compile_resources(resources)
    made = compile_plan(catalog)
    held = made.by_project["demo"]
    found = []
    for number in range(40):
        record = decide_at(made, held, f"talk-{number}")
        model = record.decision.models[0]
        outcome = Outcome(200, "p", model, 1, 1000, 500, 0, 100.0, 900.0)
        name = f"d{number:02}"
        found.append(replace(record, decision_id=name, time=time.time() - 60, outcome=outcome))
    return found


def decide_at(made: Any, held: Any, key: str) -> Record:
    from prism.routing.budget import NOTHING_SPENT
    from prism.routing.decide import Health, decide
    from prism.routing.identify import Caller
    from prism.routing.other import other_of
    from prism.routing.trial import decide_tried

    caller, known, asked = Caller(held, made.tables[held.table]), classified(), signals()
    trials: list[Any] = []

    def once(by: Caller, trial: Any) -> Any:
        trials.append(trial)
        return decide(made, by, asked, known, Health(), trial=trial)

    decision = decide_tried(made, caller, asked, key, once)
    inputs = made, trials[-1], decision, caller, asked, known, None, Health(), NOTHING_SPENT, None
    record = Record("d", 0.0, made.version, asked, known, Health(), True, decision)
    return replace(record, trial=trials[-1], other=other_of(*inputs))


@pytest.fixture
def ledger(folder: Path, tmp_path: Path) -> str:
    path = tmp_path / "ledger.db"
    store = Store(Address.file(path))
    store.prepare()
    found = records(folder)
    ended = {r.decision_id: Ended(r.decision_id, r.outcome, 0.01) for r in found if r.outcome}
    with store.writing() as connection:
        write_batch(connection, found, ended)
    store.close()
    return str(path)


def simulate(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["simulate", "--candidate", *arguments])


def test_the_command_compares_what_was_recorded(folder: Path, ledger: str, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    arguments = ["--config", str(folder), "--ledger", ledger]
    result = simulate(*arguments, "--report", str(page))
    assert result.exit_code == 0, result.output
    assert "40 decisions of tables with a candidate: in 40 (100.0%) the candidate" in result.stdout
    said = json.loads(simulate(*arguments, "--output", "json").stdout)
    assert said["total"]["moved"] == 40
    arms = said["measured"]["code"]
    applied = sum(r.trial is not None and r.trial.applied for r in records(folder))
    assert 5 < applied < 35
    assert arms["candidate"]["decisions"] == applied
    assert arms["table"]["decisions"] == 40 - applied
    assert arms["table"]["costUsd"] == pytest.approx(0.01)
    assert "measured" in result.stdout
    assert "<svg" in page.read_text("utf-8")


def test_a_broken_limit_stops_a_promotion(folder: Path, ledger: str) -> None:
    result = simulate("--config", str(folder), "--ledger", ledger, "--max-loss", "1")
    assert result.exit_code == 3
    assert "limit: quality would change" in result.stderr


def test_it_takes_no_file(folder: Path, ledger: str) -> None:
    change = str(folder / "next.yaml")
    result = simulate(change, "--config", str(folder), "--ledger", ledger)
    assert result.exit_code == 2
    assert "it takes no FILE" in result.stderr
