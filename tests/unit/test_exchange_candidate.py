"""The route stage of a table with a candidate: what goes out, and what a dry run says."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from prism.exchange.conversation import request_id
from prism.exchange.route import RouteStage
from prism.exchange.steps import Classify, Reply, RequestHeaders, Rewrite, Step
from prism.exchange.targets import Live
from prism.routing.bounds import Retry, RetryBudget
from prism.routing.candidate_table import CandidateTable
from prism.routing.catalog import Api, Table
from prism.routing.decide import Health
from prism.routing.identify import Caller

from .stages import CHAT, HI, ID, encoded, live
from .tables import catalog, classified, policy, table

CELLS = dict.fromkeys(table().cells, ("small", "large"))
AUDIO = [{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "aGk="}}]}]


def both(percent: int, main: Table | None = None, **changes: Any) -> Live:
    made = replace(main or table(), candidate=CandidateTable("next", percent))
    return live(catalog(tables=(made, table("next", **{"cells": CELLS, **changes}))))


def sent(made: Live, body: bytes, path: str = CHAT) -> tuple[RouteStage, Step]:
    stage = RouteStage(made, Health(), ID)
    stage.on_headers(RequestHeaders({":method": "POST", ":path": path}, complete=False))
    step = stage.on_body(body)
    if isinstance(step, Classify):
        step = stage.on_classified(classified(), None)
    return stage, step


def test_an_applied_candidate_s_own_settings_hold_for_the_attempts() -> None:
    retry = Retry(2, 7.0, 14.0, RetryBudget(20, 20))
    stage, step = sent(both(100, retry=retry), encoded())
    assert isinstance(step, Rewrite)
    assert step.labels["x-prism-table"] == "next"
    assert step.labels["x-prism-cluster-1"].startswith("prism/birch/small/")
    assert dict(step.set_headers)["x-envoy-upstream-rq-per-try-timeout-ms"] == "7000"
    assert stage.routed is not None
    assert stage.routed.decision.table == "next"


def test_a_shadow_changes_nothing_of_what_goes_out() -> None:
    alone = live(catalog(tables=(table(), table("next", cells=CELLS))))
    assert sent(both(0), encoded())[1] == sent(alone, encoded())[1]


def test_a_dry_run_says_who_decides_and_what_the_other_would() -> None:
    _, step = sent(both(0), encoded(), "/v1/prism/route")
    assert isinstance(step, Reply)
    answer = json.loads(step.body)
    assert (answer["table"], answer["models"][0]) == ("main", "medium")
    told = answer["candidateTable"]
    assert (told["name"], told["of"], told["percent"]) == ("next", "main", 0)
    assert (told["applied"], told["agrees"]) == (False, False)
    assert (told["quality"], told["otherQuality"]) == (0.75, 0.6)
    assert told["other"]["models"] == ["small", "large"]
    assert told["other"]["estimate"]["costUsd"] < answer["estimate"]["costUsd"]
    assert [r["text"] for r in answer["reasons"] if r["step"] == "table"] == [
        "next, the candidate of table main, is only compared"
    ]
    plain = sent(live(), encoded(), "/v1/prism/route")[1]
    assert isinstance(plain, Reply)
    assert json.loads(plain.body)["candidateTable"] is None


def anthropic(made: Table) -> Table:
    """All of birch's models speak Anthropic's API."""
    birch = replace(made.providers["birch"], api=Api.ANTHROPIC)
    return replace(made, providers={**made.providers, "birch": birch})


@pytest.mark.parametrize("percent", [0, 100])
def test_what_can_t_be_translated_is_not_chosen_by_either(percent: int) -> None:
    made = anthropic(table("next", cells=dict.fromkeys(CELLS, ("small", "spare"))))
    stage, _ = sent(
        both(percent, main=anthropic(table()), providers=made.providers, cells=made.cells),
        encoded(messages=AUDIO),
    )
    assert stage.routed is not None
    other = stage.other()
    assert other is not None
    decided = {d.table: d for d in (stage.routed.decision, other.decision)}
    assert decided["next"].models == ("spare",)
    assert decided["main"].models == ("medium",)
    said = [r.text for r in decided["next"].reasons if r.model == "small"]
    assert "can't be translated" in said[0]


def test_a_request_without_a_conversation_is_told_by_itself() -> None:
    made = both(50)
    callers = (
        Caller(None, made.plan.tables["main"]),
        Caller(policy(), made.plan.tables["main"]),
        Caller(None, made.plan.tables["next"]),
    )
    ids = {request_id(c, b) for c in callers for b in (b"a", b"b", b"a" * 70_000, b"a" * 70_001)}
    assert len(ids) == 12
    assert request_id(callers[0], b"a") == request_id(callers[0], b"a")


def test_the_key_is_the_conversation_s_and_else_the_request_s() -> None:
    made, keys = both(50), set()
    for messages in (HI, [*HI, {"role": "assistant", "content": "hello"}, *HI]):
        stage, _ = sent(made, encoded(messages=messages))
        assert stage.routed is not None
        assert stage.routed.trial is not None
        assert stage.routed.trial.key == stage.routed.signals.conversation
        keys.add(stage.routed.trial.key)
    assert len(keys) == 1
    for text in ("one", "two", "one"):
        stage, _ = sent(
            made, json.dumps({"model": "auto", "input": text}).encode(), "/v1/responses"
        )
        assert stage.routed is not None
        assert stage.routed.trial is not None
        assert stage.routed.signals.conversation is None
        keys.add(stage.routed.trial.key)
    assert len(keys) == 3
