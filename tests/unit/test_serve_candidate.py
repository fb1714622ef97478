"""A candidate turn by turn through the route stage as it is served, in Envoy's messages."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import Any

import pytest
from envoy.service.ext_proc.v3.external_processor_pb2 import ProcessingRequest

from prism.exchange.route import RouteStage
from prism.exchange.routed import Routed
from prism.exchange.steps import Rewrite
from prism.exchange.targets import Live
from prism.routing.candidate_table import CandidateTable
from prism.routing.catalog import Api
from prism.routing.other import Other
from prism.serve.comparing import Comparing
from prism.telemetry.metrics import Metrics
from prism.wire import ext_proc

from .clock import Clock
from .stages import live
from .tables import catalog, table
from .test_serve_turns import ANSWER, CALL, HI, RESULT, Replica

# main: balanced is medium, large; next: small, large
CELLS = dict.fromkeys(table().cells, ("small", "large"))


def both(percent: int, **changes: Any) -> Live:
    main = table(candidate=CandidateTable("next", percent))
    return live(catalog(tables=(main, table("next", **{"cells": CELLS, **changes}))))


def other_of(replica: Replica) -> Other:
    assert replica.newest.other is not None
    return replica.newest.other


def test_a_shadow_is_decided_after_the_answer_and_recorded() -> None:
    replica = Replica(both(0))
    assert replica.ask(HI, mode="balanced") == "medium"
    record = replica.newest
    assert record.trial is not None
    assert (record.trial.candidate, record.trial.applied) == ("next", False)
    assert other_of(replica).decision.models == ("small", "large")
    assert record.timing is not None


def test_it_is_not_compared_before_the_answer_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    encode, compare = ext_proc.rewrite_at_once, Comparing.other

    def encoded(step: Rewrite) -> bytes:
        steps.append("answer")
        return encode(step)

    def compared(self: Comparing, stage: RouteStage, routed: Routed) -> Other | None:
        steps.append("other")
        return compare(self, stage, routed)

    monkeypatch.setattr(ext_proc, "rewrite_at_once", encoded)
    monkeypatch.setattr(Comparing, "other", compared)
    Replica(both(0)).ask(HI, mode="balanced")
    assert steps == ["answer", "other"]


def test_tables_without_a_candidate_compare_nothing() -> None:
    replica = Replica()
    replica.ask(HI, mode="balanced")
    assert (replica.newest.trial, replica.newest.other) == (None, None)


def test_what_is_applied_is_the_conversation_s_for_every_turn_on_every_replica() -> None:
    made = both(50)
    one, another = Replica(made), Replica(both(50))
    sides = set()
    for number in range(40):
        talk = f"talk-{number}"
        first = one.ask(HI, mode="balanced", named=talk)
        assert another.ask(HI, ANSWER, HI, mode="balanced", named=talk) == first
        assert one.ask(HI, ANSWER, HI, mode="balanced", named=talk) == first
        trial = one.newest.trial
        assert trial is not None
        assert first == ("small" if trial.applied else "medium")
        assert one.newest.decision.table == ("next" if trial.applied else "main")
        sides.add(trial.applied)
    assert sides == {True, False}


def test_the_two_are_compared_turn_by_turn() -> None:
    """While tools are at work each keeps to the model that it had itself, whatever the mode."""
    cells = {**CELLS, **{k: ("spare", "large") for k in CELLS if k[1] == "sport"}}
    replica = Replica(both(0, cells=cells))
    assert replica.ask(HI, mode="sport") == "huge"
    assert other_of(replica).decision.models[0] == "spare"
    assert replica.ask(HI, CALL, RESULT, mode="eco") == "huge"
    other = other_of(replica)
    assert other.decision.models[0] == "spare"
    assert other.held is not None
    assert (other.held.model, other.held.mode) == ("spare", "sport")


def test_what_the_candidate_does_not_know_yet_is_what_the_table_remembers() -> None:
    replica = Replica(live(catalog()))
    assert replica.ask(HI, mode="sport") == "huge"
    replica.processor.live = both(0)
    assert replica.ask(HI, CALL, RESULT, mode="eco") == "huge"
    assert other_of(replica).decision.models[0] == "huge"


def test_a_dry_run_says_both_and_remembers_neither() -> None:
    replica = Replica(both(0))
    replica.ask(HI, mode="balanced", path="/v1/prism/route")
    assert other_of(replica).decision.models[0] == "small"
    assert len(replica.conversations) == 0
    assert replica.processor._comparing.held(str(replica.newest.signals.conversation)) is None


def test_counting_tokens_is_no_trial() -> None:
    main = table(candidate=CandidateTable("next", 100))
    providers = {n: replace(p, api=Api.ANTHROPIC) for n, p in main.providers.items()}
    tables = replace(main, providers=providers), table("next", providers=providers)
    replica = Replica(live(catalog(tables=tables)))
    replica.ask(HI, mode="balanced", path="/v1/messages/count_tokens")
    assert (replica.newest.trial, replica.newest.decision.table) == (None, "main")


class Broken:
    """A route stage that fails at the other decision."""

    dry_run = False

    def other(self) -> Other | None:
        raise RuntimeError("the text of a prompt")


def test_a_comparison_that_fails_costs_no_record(caplog: pytest.LogCaptureFixture) -> None:
    comparing, stage, routed = Comparing(Clock()), Broken(), object()
    with caplog.at_level(logging.ERROR):
        assert comparing.other(stage, routed) is None  # type: ignore[arg-type]
        assert comparing.other(stage, routed) is None  # type: ignore[arg-type]
    (said,) = caplog.messages
    assert "RuntimeError at" in said
    assert "prompt" not in said


@pytest.mark.parametrize(("percent", "applied"), [(0, "false"), (100, "true")])
def test_agreement_is_counted(percent: int, applied: str) -> None:
    replica, metrics = Replica(both(percent)), Metrics()
    replica.ask(HI, mode="balanced")
    metrics.decided(replica.newest, None)
    cells = {**table().cells}
    replica = Replica(both(percent, cells=cells))
    replica.ask(HI, mode="balanced")
    metrics.decided(replica.newest, None)
    assert metrics.candidates.values == {
        ("main", "next", applied, "false"): 1,
        ("main", "next", applied, "true"): 1,
    }


def test_headers_and_body_in_two_messages_are_compared_after_the_answer_too() -> None:
    replica = Replica(both(0))
    headers, body = ProcessingRequest(), ProcessingRequest()
    for name, value in ((":method", "POST"), (":path", "/v1/chat/completions")):
        headers.request_headers.headers.headers.add(key=name, raw_value=value.encode())
    body.request_body.body = b'{"model":"auto","messages":[{"role":"user","content":"hi"}]}'

    class Stream:
        """As gRPC has it."""

        def __init__(self) -> None:
            self.messages, self.written = [headers, body], 0

        def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
            return ()

        async def read(self) -> Any:
            return self.messages.pop(0)

        async def write(self, _: bytes) -> None:
            self.written += 1
            assert not replica.recent.newest(1)

    stream = Stream()
    asyncio.run(replica.processor.process(None, stream))
    assert stream.written == 2
    assert other_of(replica).decision.models[0] == "small"
