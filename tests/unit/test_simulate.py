"""Decisions made again under another plan: what differs, how it is summed, ``prism simulate``."""

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
from prism.report.simulation import simulation_page
from prism.resources import compile_resources, read_folder
from prism.routing.bounds import Limits as Bounds
from prism.routing.catalog import Policy, Price, Table, Task
from prism.routing.decide import Health, decide
from prism.routing.identify import Caller
from prism.routing.plan import Plan, compile_plan
from prism.routing.record import Outcome, Record
from prism.routing.signals import Classification
from prism.routing.sticking import Held
from prism.simulate.again import Untold, again
from prism.simulate.difference import Difference, Limits, broken

from .tables import BALANCED, CODE, ECO, SIMPLE, catalog, classified, policy, signals, table

DEMO = Path(__file__).parents[2] / "examples" / "demo"


def recorded(held: Policy | None = None, outcome: Outcome | None = None, **asked: Any) -> Record:
    """A code task, balanced: medium, else large. Medium costs $1 and $4 a million tokens."""
    plan = compile_plan(catalog(*([held] if held else [])))
    caller, known = Caller(held, plan.default_table), classified()
    decision = decide(plan, caller, signals(**asked), known, Health())
    return Record(
        "d1", 1.0, plan.version, signals(**asked), known, Health(), True, decision, outcome
    )


def plan(*policies: Policy, **changes: Any) -> Plan:
    return compile_plan(catalog(*policies, tables=(table(**changes),), version="v2"))


def with_cell(*names: str) -> dict[str, Any]:
    return {"cells": {**table().cells, (CODE, BALANCED): names}}


def test_the_same_plan_moves_nothing() -> None:
    found = again(recorded(), plan())
    assert not found.moved
    assert (found.before, found.after) == ("medium", "medium")
    # 1,000 tokens in, the 1,000 that an answer to code tends to need out.
    assert found.cost_before == found.cost_after == pytest.approx(0.005)


def test_a_conversation_stays_where_it_was() -> None:
    asked, known = signals(conversation="0123456789abcdef"), classified()
    old, talk = compile_plan(catalog()), Held("large", BALANCED, 60.0)
    decision = decide(old, Caller(None, old.default_table), asked, known, Health(), held=talk)
    record = Record("d1", 1.0, old.version, asked, known, Health(), True, decision, held=talk)
    found = again(record, plan())
    assert (found.before, found.after, found.moved) == ("large", "large", False)
    assert "stays" in found.why


def test_another_cell_moves_and_costs_by_the_tokens_that_were() -> None:
    outcome = Outcome(200, "acorn", "medium", 1, 2000, 500, 1000)
    found = again(recorded(outcome=outcome), plan(**with_cell("small", "large")))
    assert (found.before, found.after) == ("medium", "small")
    # Half of the input cached, at a tenth of the price: $0.001 + $0.0001 + $0.002, and a fifth.
    assert found.cost_before == pytest.approx(0.0031)
    assert found.cost_after == pytest.approx(0.00062)
    assert (found.quality_before, found.quality_after) == (0.75, 0.6)
    assert found.why == "cell (code, balanced): small, large"


def test_tokens_that_were_put_into_a_cache_cost_what_that_costs() -> None:
    outcome = Outcome(200, "acorn", "medium", 1, 2000, 500, 1000, cache_write_tokens=400)
    found = again(recorded(outcome=outcome), plan())
    # A quarter more for 400 of the thousand that were not cached.
    assert found.cost_before == found.cost_after == pytest.approx(0.0032)


def test_what_failed_over_then_would_now() -> None:
    found = again(recorded(outcome=Outcome(200, "birch", "large", 2)), plan())
    assert (found.before, found.after) == ("large", "large")


def test_prices_then_are_those_of_the_plan_that_was() -> None:
    dear = replace(table().models["medium"], price=Price(2, 8, 0.2, 2))
    new = plan(models={**table().models, "medium": dear})
    found = again(recorded(), new, compile_plan(catalog()))
    assert not found.moved
    assert (found.cost_before, found.cost_after) == (pytest.approx(0.005), pytest.approx(0.01))
    # Without it, the new ones: only routing is compared.
    assert again(recorded(), new).cost_before == pytest.approx(0.01)


def test_a_model_that_is_gone_has_its_old_price_or_none() -> None:
    rest = {name: model for name, model in table().models.items() if name != "medium"}
    cells = dict.fromkeys(table().cells, ("large",))
    new = plan(models=rest, cells=cells)
    assert again(recorded(), new).cost_before is None
    found = again(recorded(), new, compile_plan(catalog()))
    assert found.cost_before == pytest.approx(0.005)
    assert (found.quality_before, found.quality_after) == (0.75, 0.85)


def test_a_policy_that_denies_every_model_refuses() -> None:
    held = policy()
    found = again(recorded(held), plan(policy(denied_models=frozenset(table().models))))
    assert (found.before, found.after, found.cost_after) == ("medium", None, 0.0)
    assert found.why == "No model can take this request:"


def test_a_policy_is_found_by_its_project_where_it_has_another_name() -> None:
    renamed = policy("acme-2", project="acme", denied_models=frozenset({"medium"}))
    assert again(recorded(policy()), plan(renamed)).after == "large"


def not_asked() -> Record:
    """Policy forced one model whatever the task, so nobody asked for the task."""
    return replace(recorded(), classification=None)


@pytest.mark.parametrize(
    ("record", "new", "reason"),
    [
        (recorded(policy()), plan(), "its policy acme is gone"),
        (recorded(), plan(require_api_key=True), "a key would be asked for now"),
        (not_asked(), plan(), "it was not classified, and would have to be now"),
    ],
)
def test_what_cannot_be_told_is_said(record: Record, new: Plan, reason: str) -> None:
    with pytest.raises(Untold, match=reason):
        again(record, new)


def test_a_classifier_that_failed_then_fails_again() -> None:
    record = recorded()
    late = "deadline of 20 ms passed"
    decision = decide(
        compile_plan(catalog()), Caller(None, table()), signals(), None, Health(), degraded=late
    )
    found = again(replace(record, classification=None, decision=decision), plan())
    assert not found.moved
    assert found.task is Task.COMPLEX


def test_differences_are_summed_by_project_task_mode_and_move() -> None:
    difference = Difference()
    new = plan(**with_cell("small"))
    simple = replace(recorded(), classification=classified(SIMPLE))
    simple = replace(simple, decision=replace(simple.decision, task=SIMPLE))
    for record in (recorded(), recorded(), recorded(mode=ECO), simple):
        difference.add(again(record, new), examples=1)
    assert (difference.total.decisions, difference.total.moved) == (4, 2)
    assert {name: total.moved for name, total in difference.modes.items()} == {
        "balanced": 2,
        "eco": 0,
    }
    assert difference.tasks["code"].decisions == 3
    ((move, total),) = difference.largest_moves()
    assert (move, total.decisions) == (("medium", "small"), 2)
    assert total.cost_change == pytest.approx(-0.8)
    assert total.quality_change == pytest.approx(-0.2)
    assert len(difference.examples[move]) == 1


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        (Limits(), []),
        (Limits(cost=0.0, quality_loss=0.5, moved=1.0), []),
        (Limits(cost=-0.9), ["cost would change by -80.0%, at most -90.0% may be"]),
        (Limits(quality_loss=0.1), ["quality would change by -20.0%, at most -10.0% may be"]),
        (Limits(moved=0.5), ["100.0% of decisions would move, at most 50.0% may"]),
    ],
)
def test_limits_that_are_broken_are_named(limits: Limits, says: list[str]) -> None:
    difference = Difference()
    difference.add(again(recorded(), plan(**with_cell("small"))), 1)
    assert list(broken(difference, limits)) == says


def simulate(*arguments: str, text: str | None = None) -> Result:
    return CliRunner().invoke(main, ["simulate", *arguments], input=text)


def demo_records(count: int = 4) -> list[Record]:
    """Decisions of the demo just now, for code in the project demo."""
    resources, _ = read_folder(DEMO)
    made, _ = compile_resources(resources)
    demo = compile_plan(made)
    held = demo.by_project["demo"]
    caller = Caller(held, demo.tables[held.table])
    known = Classification(CODE, 0.9, {CODE: 0.9})
    decision = decide(demo, caller, signals(limits=Bounds()), known, Health())
    outcome = Outcome(200, None, decision.models[0], 1, 1000, 500)
    return [
        Record(f"d{n}", time.time() - 60, "v", signals(), known, Health(), True, decision, outcome)
        for n in range(count)
    ]


@pytest.fixture
def ledger(tmp_path: Path) -> str:
    """A ledger with four decisions of a minute ago and one of last week."""
    path = tmp_path / "ledger.db"
    store = Store(Address.file(path))
    store.prepare()
    records = demo_records()
    records.append(replace(records[0], decision_id="old", time=time.time() - 7 * 86_400))
    ended = {}
    for record in records:
        assert record.outcome is not None
        ended[record.decision_id] = Ended(record.decision_id, record.outcome, 0.01)
    with store.writing() as connection:
        write_batch(connection, records, ended)
    store.close()
    return str(path)


def changed(tmp_path: Path, name: str) -> Path:
    """The demo's table with ``name`` alone in every cell."""
    document = yaml.safe_load((DEMO / "table.yaml").read_text())
    for cells in document["spec"]["cells"].values():
        for mode in cells:
            cells[mode] = [name]
    path = tmp_path / "change.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def test_a_change_before_it_is_applied(ledger: str, tmp_path: Path) -> None:
    change = str(changed(tmp_path, "mistral-small-latest"))
    arguments = [change, "--config", str(DEMO), "--ledger", ledger]
    result = simulate(*arguments)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("4 decisions made again: 4 (100.0%) would move")
    first = demo_records(1)[0].decision.models[0]
    assert f"{first} → mistral-small-latest" in result.stdout
    assert "d0  code, balanced" in result.stdout
    said = json.loads(simulate(*arguments, "--output", "json").stdout)
    assert said["projects"]["demo"]["moved"] == 4
    assert len(said["moves"][0]["examples"]) == 3
    # 1,000 tokens in and 500 out, by the demo's price of the small model.
    price = next(
        model["price"]
        for model in yaml.safe_load((DEMO / "table.yaml").read_text())["spec"]["models"]
        if model["name"] == "mistral-small-latest"
    )
    each = (1000 * price["inputPerMillion"] + 500 * price["outputPerMillion"]) / 1e6
    assert said["total"]["costAfter"] == pytest.approx(4 * each)


def test_nothing_moves_where_nothing_changes(ledger: str) -> None:
    result = simulate("--config", str(DEMO), "--ledger", ledger, "--max-moved", "0")
    assert result.exit_code == 0, result.output
    assert "0 (0.0%) would move" in result.stdout
    week = simulate("--config", str(DEMO), "--ledger", ledger, "--hours", "200")
    assert "5 decisions" in week.stdout


def test_a_broken_limit_stops_a_pipeline(ledger: str, tmp_path: Path) -> None:
    change = str(changed(tmp_path, "mistral-small-latest"))
    arguments = [change, "--config", str(DEMO), "--ledger", ledger]
    result = simulate(*arguments, "--max-moved", "50", "--max-loss", "0")
    assert result.exit_code == 3
    assert "limit: 100.0% of decisions would move" in result.stderr
    assert "limit: quality would change" in result.stderr


@pytest.mark.parametrize(
    "wrong", [("--max-cost", "nan"), ("--max-loss", "inf"), ("--hours", "nan"), ("--hours", "-1")]
)
def test_a_limit_that_nothing_could_break_is_none(ledger: str, wrong: tuple[str, str]) -> None:
    assert simulate("--config", str(DEMO), "--ledger", ledger, *wrong).exit_code == 2


def test_where_nothing_can_be_made_again_no_change_passes(tmp_path: Path) -> None:
    records = tmp_path / "records.jsonl"
    gone = replace(recorded(policy(name="gone")), plan_version="x")
    records.write_text(json.dumps(gone.to_json_dict()))
    result = simulate("--config", str(DEMO), "--records", str(records))
    assert result.exit_code == 1
    assert "there is no decision to make again; 1: " in result.stderr


def test_the_page_has_all_of_it_and_needs_nothing_else(ledger: str, tmp_path: Path) -> None:
    change, page = changed(tmp_path, "mistral-small-latest"), tmp_path / "page.html"
    arguments = [str(change), "--config", str(DEMO), "--ledger", ledger, "--report", str(page)]
    assert simulate(*arguments, "--max-moved", "50").exit_code == 3
    text = page.read_text("utf-8")
    assert "100.0% of decisions would move, at most 50.0% may" in text
    assert "<td>demo</td>" in text
    assert f">{demo_records(1)[0].decision.models[0]} → mistral-small-latest</td>" in text
    assert text.count("<code>d") == 3
    assert text.count("<svg") == 6  # cost and quality by project, by task and by mode
    assert "default-src 'none'" in text
    assert "<script" not in text


def test_the_page_of_a_change_that_moves_nothing_says_so() -> None:
    difference = Difference()
    difference.add(again(recorded(policy(project="<b>")), plan(policy(project="<b>"))), 1)
    difference.untold["it was not classified"] = 2
    text = simulation_page(difference, [], [])
    assert "every decision would lead to the model that answered" in text
    assert "&lt;b&gt;" in text
    assert "<b>&lt;" not in text
    assert "2 decisions can&#39;t be made again" in text or "2 decisions can't" in text


def test_records_of_a_file_and_lines_that_are_none(tmp_path: Path) -> None:
    lines = [json.dumps(record.to_json_dict()) for record in demo_records(2)]
    text = "\n".join([lines[0], "{}", "not json", "", lines[1]])
    result = simulate("--config", str(DEMO), "--records", "-", text=text)
    assert result.exit_code == 0, result.output
    assert "2 decisions made again" in result.stdout
    assert "line 2: no record" in result.stderr
    assert "line 3: no record" in result.stderr
    other = simulate("--config", str(DEMO), "--records", "-", "--project", "other", text=text)
    assert other.exit_code == 1
    assert "there is no decision to make again" in other.output


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("kind: Nothing\n", "the change would not go live"),
        ("apiVersion: routing.prism.dev/v1alpha1\nkind: RoutingTable\nmetadata: {name: default}\n"
         "spec: {}\n", "the change would not go live"),
    ],
)  # fmt: skip
def test_a_change_that_would_not_go_live(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "bad.yaml").write_text(text)
    arguments = [str(tmp_path / "bad.yaml"), "--config", str(DEMO), "--records", "-"]
    result = simulate(*arguments, text="")
    assert result.exit_code == 1
    assert says in result.output
    assert "bad.yaml" in result.output


def test_a_ledger_that_is_not_there(tmp_path: Path) -> None:
    result = simulate("--config", str(DEMO), "--state", str(tmp_path))
    assert result.exit_code == 1
    assert "there is no ledger at" in result.output
    assert simulate("--config", str(DEMO), "--ledger", "none").exit_code == 2


def test_a_change_repairs_a_broken_folder(ledger: str, tmp_path: Path) -> None:
    folder = tmp_path / "live"
    folder.mkdir()
    for name in ("table.yaml", "policies.yaml"):
        (folder / name).write_text((DEMO / name).read_text())
    table_of: Table | Any = yaml.safe_load((folder / "table.yaml").read_text())
    table_of["spec"]["cells"]["code"]["eco"] = ["nobody"]
    (folder / "table.yaml").write_text(yaml.safe_dump(table_of))
    assert simulate("--config", str(folder), "--ledger", ledger).exit_code == 1
    repair = str(DEMO / "table.yaml")
    result = simulate(repair, "--config", str(folder), "--ledger", ledger)
    assert result.exit_code == 0, result.output
    assert "0 (0.0%) would move" in result.stdout
