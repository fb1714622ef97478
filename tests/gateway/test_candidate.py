"""A table with a candidate, on a real Envoy: compared, applied to a share, and changed live."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import httpx
import openai
import pytest

from prism.ledger.address import Address
from prism.providers import SimulatedProviders

from . import config
from .conftest import urls
from .running import NO_TLS, Gateway, free_port, until
from .test_conversations import ANSWER, CELLS, HI, KEY, ask, model
from .test_ledger import kept, path

MODES = ("eco", "balanced", "sport")
NEXT = {task: {mode: ["thinker", "mini"] for mode in MODES} for task in config.CELLS}


@pytest.fixture
def made(
    own_gateway: Callable[..., Gateway], providers: SimulatedProviders
) -> Callable[..., Gateway]:
    """A gateway whose table answers with coder, and its candidate with thinker."""

    def make(percent: int, *options: str) -> Gateway:
        other = config.table(urls(providers), "next", cells=NEXT)
        candidate = {"table": "next", "percent": percent}
        documents = [*config.policies(), other]
        return own_gateway(*options, cells=CELLS, candidate=candidate, policies=documents)

    return make


def turns(gateway: Gateway, talk: str) -> list[str]:
    """Who answers the turns of a conversation."""
    named: dict[str, Any] = {"extra_headers": {"X-Prism-Conversation": talk}}
    return [model(ask(gateway, *said, **named)) for said in ([HI], [HI, ANSWER, HI])]


def test_a_shadow_is_recorded_and_changes_no_answer(made: Callable[..., Gateway]) -> None:
    gateway = made(0)
    answer = ask(gateway, HI)
    assert model(answer) == "coder"
    name = answer.headers["x-prism-decision-id"]
    record = gateway.record(name)
    assert record["trial"]["candidate"] == "next"
    assert record["trial"]["applied"] is False
    assert record["other"]["decision"]["models"] == ["thinker", "mini"]
    entry = kept(Address.file(path(gateway)), name)
    assert entry.record.other is not None
    assert entry.record.other.quality == config.MODELS["thinker"][2]
    url = f"{gateway.base_url}/prism/route"
    body = {"model": "auto", "messages": [HI]}
    told = httpx.post(url, json=body, headers=KEY, timeout=60).json()["candidateTable"]
    assert (told["name"], told["applied"], told["agrees"]) == ("next", False, False)
    lines = httpx.get(f"{gateway.admin}/metrics", verify=NO_TLS).text.splitlines()
    (count,) = [line for line in lines if line.startswith("prism_candidate_decisions_total{")]
    for label in ('table="default"', 'candidate="next"', 'applied="false"', 'agrees="false"'):
        assert label in count
    assert float(count.split()[-1]) == 1


def test_the_console_shows_both_choices(made: Callable[..., Gateway]) -> None:
    port = free_port()
    gateway = made(50, "--console", f"127.0.0.1:{port}")
    console = httpx.Client(base_url=f"http://127.0.0.1:{port}")
    until(lambda: "has both choices" in console.get("/candidate").text, "it to say: none yet")
    who = [
        model(ask(gateway, HI, extra_headers={"X-Prism-Conversation": str(n)})) for n in range(8)
    ]
    shown = re.compile(r"Decisions compared</dt><dd>(\d+)<")

    def counted() -> str | None:
        page = str(console.get("/candidate").text)
        found = shown.search(page)
        return page if found is not None and found[1] == "8" else None

    page = until(counted, "all of them to be compared")
    assert f"<dd>{who.count('thinker') / 8:.1%} <small>{who.count('thinker')}</small>" in page
    assert "<td>coder</td><td>thinker</td>" in page
    console.close()


def test_a_share_of_conversations_sticks_over_turns_replicas_and_a_restart(
    made: Callable[..., Gateway],
) -> None:
    one, other = made(50), made(50)
    talks = [f"thread-{number}" for number in range(12)]
    found = {talk: turns(one, talk) for talk in talks}
    assert {answers[0] for answers in found.values()} == {"coder", "thinker"}
    assert all(first == second for first, second in found.values())
    assert {talk: turns(other, talk) for talk in talks} == found
    before = one.children()["prism"]
    one.kill("prism")
    until(lambda: one.children().get("prism", before) != before, "another server")

    def back() -> bool:
        try:
            return one.ready() and bool(turns(one, talks[0]))
        except openai.APIError:
            return False

    until(back, "the gateway to be back")
    assert {talk: turns(one, talk) for talk in talks} == found


def test_a_candidate_that_goes_leaves_the_last_good_until_it_is_promoted(
    made: Callable[..., Gateway], providers: SimulatedProviders
) -> None:
    gateway = made(100)
    answer = ask(gateway, HI)
    assert model(answer) == "thinker"
    record = gateway.record(answer.headers["x-prism-decision-id"])
    assert record["decision"]["table"] == "next"
    assert record["outcome"]["model"] == "thinker"
    table = config.table(urls(providers), cells=CELLS, candidate={"table": "next", "percent": 0})
    before = gateway.status()
    config.write(gateway.config, table, config.policies())  # its candidate is gone
    said = "no RoutingTable named"
    until(lambda: said in str(gateway.status()["problems"]), "the problem to be told")
    assert gateway.status()["planVersion"] == before["planVersion"]
    assert model(ask(gateway, HI)) == "thinker", "the last good configuration holds"
    config.write(gateway.config, config.table(urls(providers), cells=NEXT), config.policies())
    until(lambda: gateway.status()["planVersion"] != before["planVersion"], "the change to be live")
    answer = ask(gateway, HI)
    assert model(answer) == "thinker"
    assert gateway.record(answer.headers["x-prism-decision-id"])["decision"]["table"] == "default"
