"""Explanations: what they hold, how they read, and ``prism explain``."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from prism.cli import main
from prism.ledger.address import Address
from prism.ledger.batch import write_batch
from prism.ledger.entry import Ended
from prism.ledger.feedback import keep_feedback
from prism.ledger.store import Store
from prism.routing.bounds import Limits
from prism.routing.decide import Health, decide
from prism.routing.explanation import candidates, explanation_of
from prism.routing.feedback import Feedback
from prism.routing.identify import Caller
from prism.routing.plan import compile_plan
from prism.routing.record import Outcome, Record
from prism.routing.tree import tree

from .tables import SPORT, TOOLS, catalog, classified, policy, signals, table

DEMO = Path(__file__).parents[2] / "examples" / "demo"
CODE = "Write a Python function that reverses a singly linked list, with type hints and tests."


def record(**changes: object) -> Record:
    """A decision with a model of each kind: tried, denied, unable, beyond the limits, failing."""
    held = policy(denied_models=frozenset({"huge"}))
    plan = compile_plan(catalog(held, tables=(table(),)))
    asks = signals(mode=SPORT, needs=frozenset({TOOLS}), limits=Limits(max_latency_ms=11_000))
    asks = replace(asks, **changes)
    health = Health(frozenset({"large"}), {"large": 950.0})
    decision = decide(plan, Caller(held, plan.default_table), asks, classified(), health)
    outcome = Outcome(200, "birch", "small", 2, 1012, 480, 12, 812.4, 2900.0)
    name = "019b" + "0" * 24
    return Record(name, 1_790_000_000.5, "v1", asks, classified(), health, True, decision, outcome)


TREE = """\
decision 019b000000000000000000000000 of 2026-09-21 14:13:20 UTC, plan v1
├─ request     model 'auto', about 1,000 tokens, needs tools, maxLatencyMs 11000
├─ task        code (classifier: code 0.90 · simple 0.03 · reasoning 0.03 · complex 0.03)
├─ mode        sport
├─ policy      acme
│  └─ table main
├─ steps
│  ├─ project   policy acme of project acme; table main, 5 of 6 models
│  ├─ classify  code, confidence 0.90
│  ├─ cell      cell (code, sport): huge, large, medium, small
│  └─ limits    latency at most 11000 ms
├─ candidates
│  ├─ 1. medium: tried first
│  ├─ 2. small: tried where those before it fail
│  ├─ 3. large: failing now, goes last
│  └─ ✗  huge: denied by policy acme
├─ estimate    1,000 tokens in, 1,000 out, $0.005, 10.4 s
├─ attempts    2, in the order medium, small, large
├─ outcome     200 from small (birch)
│  ├─ 1,012 tokens in (12 cached), 480 out
│  ├─ $0.0121
│  └─ first byte after 812 ms, over after 2.9 s
└─ feedback
   └─ default 0 by=app: wrong answer
"""


def test_a_tree_says_every_step_and_every_candidate() -> None:
    said = Feedback("x", 0.0, comment="wrong\nanswer", labels={"by": "app"})
    assert tree(explanation_of(record(), 0.0121, [said])) == TREE


def test_a_refusal_has_its_message_and_no_candidates() -> None:
    refused = replace(record(model="nothing"), outcome=None)
    text = tree(explanation_of(refused))
    assert "refused     404 model_not_found: The model 'nothing' does not exist." in text
    assert text.endswith("└─ outcome     none\n")


def test_every_model_that_a_reason_names_is_a_candidate() -> None:
    found = candidates(record().decision)
    assert [(one["model"], one["attempt"]) for one in found] == [
        ("medium", 1),
        ("small", 2),
        ("large", 3),
        ("huge", None),
    ]


def explain(*arguments: str, text: str | None = None) -> Result:
    return CliRunner().invoke(main, ["explain", *arguments], input=text)


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """A ledger that has the record."""
    path, made = tmp_path / "ledger.db", record()
    store = Store(Address.file(path))
    store.prepare()
    assert made.outcome is not None
    ended = Ended(made.decision_id, made.outcome, 0.0121)
    with store.writing() as connection:
        write_batch(connection, [made], {made.decision_id: ended})
        said = Feedback(made.decision_id, 0.0, comment="wrong\nanswer", labels={"by": "app"})
        keep_feedback(connection, said, 1_790_000_100.0)
    store.close()
    return path


def test_a_decision_of_the_ledger(ledger: Path) -> None:
    name = record().decision_id
    assert explain(name, "--ledger", str(ledger)).output == TREE
    assert explain(name, "--state", str(ledger.parent)).output == TREE
    as_json = json.loads(explain(name, "--ledger", str(ledger), "--json").output)
    said = Feedback(name, 0.0, comment="wrong\nanswer", labels={"by": "app"})
    assert as_json == json.loads(json.dumps(explanation_of(record(), 0.0121, [said])))


def test_what_is_not_in_the_ledger(ledger: Path, tmp_path: Path) -> None:
    result = explain("another", "--ledger", str(ledger))
    assert result.exit_code == 1
    assert f"no decision 'another' in the ledger at {ledger}" in result.output
    result = explain(str(ledger), "--ledger", str(ledger))
    assert "it is a file: with --config" in result.output
    result = explain("another", "--state", str(tmp_path / "none"))
    assert result.exit_code == 1
    assert "there is no ledger at" in result.output
    assert not (tmp_path / "none").exists()
    assert explain("another", "--ledger", "none").exit_code == 2


def test_no_comment_steers_a_terminal(ledger: Path) -> None:
    store = Store(Address.file(ledger))
    with store.writing() as connection:
        said = Feedback(record().decision_id, 1.0, comment="\x1b[2Jgone \u009b31m")
        keep_feedback(connection, said, 0)
    output = explain(record().decision_id, "--ledger", str(ledger)).output
    assert "\ufffd[2Jgone \ufffd31m" in output


def body(text: str = CODE, **more: object) -> str:
    return json.dumps({"model": "auto", "messages": [{"role": "user", "content": text}], **more})


def test_a_request_before_it_is_sent(tmp_path: Path) -> None:
    file = tmp_path / "request.json"
    file.write_text(body())
    result = explain(str(file), "--config", str(DEMO), "--project", "demo", "--json")
    assert result.exit_code == 0, result.output
    said = json.loads(result.output)
    assert (said["object"], said["task"], said["project"]) == ("prism.decision", "code", "demo")
    assert "outcome" not in said
    assert [one["attempt"] for one in said["candidates"][:2]] == [1, 2]
    text = explain("-", "--config", str(DEMO), "--project", "demo", text=body()).output
    assert f"1. {said['models'][0]}: tried first" in text
    assert CODE not in text


def test_headers_of_a_request_count(tmp_path: Path) -> None:
    arguments = ("--config", str(DEMO), "--project", "demo", "--json")
    eco = explain("-", *arguments, "--header", "X-Prism-Mode: eco", text=body())
    assert json.loads(eco.output)["mode"] == "eco"


@pytest.mark.parametrize(
    ("arguments", "text", "says"),
    [
        (("--project", "demo"), "{", "would answer 400 invalid_json"),
        (
            ("--project", "nobody"),
            body(),
            "no policy names the project 'nobody'; there are: anonymous, demo",
        ),
        (("--header", "authorization: Bearer x"), body(), "would answer 401 invalid_api_key"),
        (("--header", "nothing"), body(), "'nothing' is not NAME:VALUE"),
    ],
)
def test_what_the_gateway_would_refuse(arguments: tuple[str, ...], text: str, says: str) -> None:
    result = explain("-", "--config", str(DEMO), *arguments, text=text)
    assert result.exit_code != 0
    assert says in result.output


def test_options_of_a_preview_need_its_configuration(tmp_path: Path) -> None:
    result = explain("x", "--project", "demo")
    assert result.exit_code == 2
    assert "--project needs --config" in result.output
    (tmp_path / "broken.yaml").write_text("kind: Nothing\n")
    result = explain("-", "--config", str(tmp_path), text=body())
    assert result.exit_code == 1
    assert "can't be used" in result.output
