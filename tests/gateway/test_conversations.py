"""Conversations stay on their model, on a real Envoy and with the real OpenAI client."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anthropic
import httpx
import openai
import pytest

from prism.providers import Fault, FaultKind, SimulatedProviders

from . import config
from .running import Gateway, until

KEY = {"authorization": f"Bearer {config.CLIENT_KEY}"}
HI = {"role": "user", "content": "hi"}
ANSWER = {"role": "assistant", "content": "Hello! How can I help?"}
CALL = {
    "role": "assistant",
    "content": None,
    "tool_calls": [
        {"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    ],
}
RESULT = {"role": "tool", "tool_call_id": "1", "content": "42"}
# Every task has the same cell: which model answers does not hang on the classifier.
CELLS = {
    task: {"eco": ["mini", "coder"], "balanced": ["coder", "mini"], "sport": ["giant", "mini"]}
    for task in config.CELLS
}


@pytest.fixture
def made(own_gateway: Callable[..., Gateway]) -> Callable[..., Gateway]:
    return lambda **spec: own_gateway(cells=CELLS, **spec)


def ask(gateway: Gateway, *messages: dict[str, Any], mode: str = "balanced", **more: Any) -> Any:
    """The answer to the messages, as they came: with its headers."""
    asked: dict[str, Any] = {"model": "auto", "messages": list(messages), **more}
    headers = {"x-prism-mode": mode, **more.pop("extra_headers", {})}
    with openai.OpenAI(
        base_url=gateway.base_url, api_key=config.CLIENT_KEY, max_retries=0, timeout=120
    ) as client:
        create = client.chat.completions.with_raw_response.create
        return create(**{**asked, "extra_headers": headers})


def model(answer: Any) -> str:
    found: str = answer.headers["x-prism-model"]
    return found


def test_it_moves_on_failover_and_then_stays_there(
    made: Callable[..., Gateway], providers: SimulatedProviders
) -> None:
    gateway = made()
    assert model(ask(gateway, HI)) == "coder"
    providers.fault("beta", Fault(kind=FaultKind.STATUS, status=500, times=1))
    moved = ask(gateway, HI, ANSWER, HI)
    assert (model(moved), moved.headers["x-prism-attempts"]) == ("mini", "2")
    gateway.record(moved.headers["x-prism-decision-id"])  # the outcome is known
    # "coder" is well, and better by 0.2: up from where the failure has left it.
    assert model(ask(gateway, HI, ANSWER, HI)) == "coder"


def test_a_named_one_stays_by_header_and_by_kwarg(
    made: Callable[..., Gateway], providers: SimulatedProviders
) -> None:
    gateway = made()
    named: dict[str, Any] = {"extra_headers": {"X-Prism-Conversation": "thread-1"}}
    assert model(ask(gateway, HI, **named, model="giant")) == "giant"
    # Another text, the same conversation; its cell begins with a lesser model.
    other = {"role": "user", "content": "What is the capital of France?"}
    assert model(ask(gateway, other, **named)) == "giant"
    kwarg = {"prism": {"conversation": "thread-1"}}
    assert model(ask(gateway, other, extra_body=kwarg)) == "giant"
    assert model(ask(gateway, other)) == "coder"
    assert model(ask(gateway, other, **named, mode="eco")) == "mini", "another mode is asked for"
    for request in providers.requests:
        assert b"thread-1" not in request.body
        assert "x-prism-conversation" not in {name.lower() for name, _ in request.headers}


def test_a_dry_run_tells_and_remembers_nothing(made: Callable[..., Gateway]) -> None:
    gateway = made()

    def route(*messages: dict[str, Any]) -> dict[str, Any]:
        url, body = f"{gateway.base_url}/prism/route", {"model": "auto", "messages": messages}
        found: dict[str, Any] = httpx.post(url, json=body, headers=KEY, timeout=60).json()
        return found

    assert route(HI)["models"] == ["coder", "mini"]
    assert gateway.status()["conversations"] == 0
    ask(gateway, HI, model="giant")
    decision = route(HI, ANSWER, HI)
    assert decision["models"][0] == "giant"
    steps = [reason["step"] for reason in decision["reasons"]]
    assert "conversation" in steps


def test_while_tools_are_at_work_it_does_not_go_down(made: Callable[..., Gateway]) -> None:
    gateway = made()
    ask(gateway, HI, mode="sport")
    loop = [HI, CALL, RESULT]
    answer = ask(gateway, *loop, mode="eco")
    assert model(answer) == "giant"
    record = gateway.record(answer.headers["x-prism-decision-id"])
    assert record["held"]["model"] == "giant"
    assert record["signals"]["toolsAtWork"]
    assert model(ask(gateway, *loop, ANSWER, HI, mode="eco")) == "mini"


def test_a_conversation_of_anthropic_s_client_stays(made: Callable[..., Gateway]) -> None:
    gateway = made()

    def ask_messages(*messages: Any, mode: str) -> str:
        answer = client.messages.with_raw_response.create(
            model="auto",
            max_tokens=50,
            system="Be brief.",
            messages=messages,
            extra_headers={"x-prism-mode": mode},
        )
        return model(answer)

    with anthropic.Anthropic(
        base_url=gateway.url, api_key=config.CLIENT_KEY, max_retries=0
    ) as client:
        assert ask_messages(HI, mode="sport") == "giant"
        call = {"type": "tool_use", "id": "t", "name": "look", "input": {}}
        result = {"type": "tool_result", "tool_use_id": "t", "content": "42"}
        loop = HI, {"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}
        assert ask_messages(*loop, mode="eco") == "giant", "tools are at work"
        assert ask_messages(*loop, ANSWER, HI, mode="eco") == "mini", "another mode is asked for"


def test_two_replicas_that_share_nothing_agree(made: Callable[..., Gateway]) -> None:
    one, other = made(), made()
    ask(one, HI)
    assert model(ask(one, HI, ANSWER, HI)) == model(ask(other, HI, ANSWER, HI)) == "coder"


def test_sealed_reasoning_goes_to_no_other_provider(
    made: Callable[..., Gateway], providers: SimulatedProviders
) -> None:
    gateway = made()
    ask(gateway, HI, mode="sport")  # giant, at beta
    sealed = {
        "role": "assistant",
        "content": "Hello!",
        "thinking_blocks": [{"type": "thinking", "thinking": "...", "signature": "abc"}],
    }
    providers.fault("beta", Fault(kind=FaultKind.STATUS, status=500))
    before = len(providers.requests)
    headers = {**KEY, "x-prism-mode": "sport"}
    body = {"model": "auto", "messages": [HI, sealed, HI]}
    url = f"{gateway.base_url}/chat/completions"
    assert httpx.post(url, json=body, headers=headers, timeout=60).status_code == 500
    assert {request.provider for request in providers.requests[before:]} == {"beta"}
    until(lambda: "giant" in gateway.status()["failuresInARow"], "the failure to be known")
