"""The route stage and conversations: who is asked for what, and what is written down."""

from __future__ import annotations

import json
from typing import Any

import pytest

from prism.exchange.conversation import conversation_id
from prism.exchange.route import RouteStage
from prism.exchange.steps import Classify, Reply, RequestHeaders, Step
from prism.routing.decide import Health
from prism.routing.identify import Caller
from prism.routing.record import Record, replay
from prism.routing.sticking import Held

from .stages import CHAT, HI, ID, encoded, error_of, hashed, live
from .tables import BALANCED, catalog, classified, policy, table

ON: list[dict[str, Any]] = [*HI, {"role": "assistant", "content": "hello"}, *HI]
NAMED = {"x-prism-conversation": "thread-1"}


class Memory:
    """Remembers one model for every conversation, and who asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, conversation: str) -> Held | None:
        self.asked.append(conversation)
        return Held("large", BALANCED, 12.5)


def sent(
    memory: Memory, body: bytes, headers: dict[str, str] | None = None, path: str = CHAT
) -> tuple[RouteStage, Step]:
    made = live(catalog(policy(key_hashes=hashed("mine")), policy("other", key_hashes=hashed("k"))))
    stage = RouteStage(made, Health(), ID, recall=memory)
    event = {":method": "POST", ":path": path, "authorization": "Bearer mine", **(headers or {})}
    stage.on_headers(RequestHeaders(event, complete=False))
    step = stage.on_body(body)
    if isinstance(step, Classify):
        step = stage.on_classified(classified(), None)
    return stage, step


def talk(stage: RouteStage) -> str:
    assert stage.routed is not None
    found = stage.routed.signals.conversation
    assert found is not None
    assert len(found) == 16
    return found


def test_a_first_turn_is_not_looked_up_and_a_later_one_is() -> None:
    memory = Memory()
    first, _ = sent(memory, encoded())
    assert memory.asked == []
    later, _ = sent(memory, encoded(messages=ON))
    assert memory.asked == [talk(later)] == [talk(first)]
    assert later.routed is not None
    assert later.routed.decision.models == ("large", "medium")


@pytest.mark.parametrize("body", [{}, {"messages": ON}])
def test_a_named_one_is_looked_up_on_any_turn(body: dict[str, Any]) -> None:
    memory = Memory()
    by_header, _ = sent(memory, encoded(**body), NAMED)
    by_kwarg, _ = sent(memory, encoded(prism={"conversation": "thread-1"}, **body))
    assert talk(by_header) == talk(by_kwarg)
    assert len(memory.asked) == 2
    other, _ = sent(memory, encoded(**body), {"x-prism-conversation": "thread-2"})
    assert talk(other) != talk(by_header)


def test_the_header_beats_the_kwarg_and_an_empty_one_names_nothing() -> None:
    memory = Memory()
    named, _ = sent(memory, encoded(), NAMED)
    both, _ = sent(memory, encoded(prism={"conversation": "x"}), NAMED)
    assert talk(both) == talk(named)
    plain, _ = sent(memory, encoded())
    empty, _ = sent(memory, encoded(), {"x-prism-conversation": ""})
    assert talk(empty) == talk(plain)


@pytest.mark.parametrize(
    ("body", "headers", "param"),
    [
        ({}, {"x-prism-conversation": "x" * 257}, "X-Prism-Conversation"),
        ({"prism": {"conversation": "x" * 257}}, {}, "prism.conversation"),
    ],
)
def test_an_id_without_end_is_refused(body: Any, headers: dict[str, str], param: str) -> None:
    _, step = sent(Memory(), encoded(**body), headers)
    assert isinstance(step, Reply)
    error = error_of(step)
    assert (error["code"], error["param"]) == ("invalid_conversation", param)


def test_projects_and_tables_share_no_conversation() -> None:
    tables = table(), table("second")
    policies = None, policy(), policy("other")
    ids = {
        conversation_id(Caller(held, made), named, "hi")
        for made in tables
        for held in policies
        for named in (None, "hi")
    }
    assert len(ids) == 12
    assert conversation_id(Caller(None, tables[0]), None, "") is None


def test_a_dry_run_says_what_would_be() -> None:
    _, step = sent(Memory(), encoded(messages=ON), path="/v1/prism/route")
    assert isinstance(step, Reply)
    answer = json.loads(step.body)
    assert answer["models"][0] == "large"
    (reason,) = [r for r in answer["reasons"] if r["step"] == "conversation"]
    assert "answered 12 s ago" in reason["text"]


def test_a_record_replays_to_the_same_decision() -> None:
    stage, _ = sent(Memory(), encoded(messages=ON))
    routed = stage.routed
    assert routed is not None
    record = Record(
        decision_id=ID,
        time=0,
        plan_version="v1",
        signals=routed.signals,
        classification=routed.classification,
        health=stage.health,
        race_allowed=routed.race_allowed,
        decision=routed.decision,
        retry_allowed=routed.retry_allowed,
        held=routed.held,
    )
    again = Record.from_json_dict(json.loads(json.dumps(record.to_json_dict())))
    assert again == record
    assert replay(stage.live.plan, again) == routed.decision
