"""Failover and races across the APIs, on the real Envoy."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import anthropic
import httpx
import openai
import pytest
import yaml

from prism.providers import Fault, FaultKind, SimulatedProviders

from . import both_apis, config
from .both_apis import DOWN, ECO, HI, SPORT, sent
from .running import Gateway, until

pytestmark = pytest.mark.usefixtures("both_healed")
STREAM = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
LATE = Fault(kind=FaultKind.DELAY, delay_ms=20_000)


@STREAM
def test_failover_from_openai_to_anthropic(
    chat: openai.OpenAI, both_providers: SimulatedProviders, stream: bool
) -> None:
    both_providers.fault("openai", DOWN)
    raw = chat.chat.completions.with_raw_response.create(
        model="auto", messages=HI, stream=stream, extra_headers=ECO
    )
    assert answered_by(raw) == ("haiku", "2")
    if stream:
        assert any(c.choices[0].delta.content for c in raw.parse())
    else:
        assert raw.parse().choices[0].message.content
    assert [sent(both_providers, n).provider for n in (0, 1)] == ["openai", "claude"]


@STREAM
def test_failover_from_anthropic_to_openai(
    claude: anthropic.Anthropic, both_providers: SimulatedProviders, stream: bool
) -> None:
    both_providers.fault("claude", DOWN)
    raw = claude.messages.with_raw_response.create(
        model="auto", max_tokens=100, messages=HI, stream=stream, extra_headers=SPORT
    )
    assert answered_by(raw) == ("gpt", "2")
    if stream:
        assert "message_stop" in [event.type for event in raw.parse()]
    else:
        assert raw.parse().content[0].text
    assert [sent(both_providers, n).provider for n in (0, 1)] == ["claude", "openai"]


@STREAM
@pytest.mark.parametrize("kind", [FaultKind.STATUS, FaultKind.RESET])
def test_failover_from_a_translated_first_attempt(
    chat: openai.OpenAI, both_providers: SimulatedProviders, kind: FaultKind, stream: bool
) -> None:
    both_providers.fault("claude", Fault(kind=kind))
    asked: dict[str, Any] = {"stream": True} if stream else {}
    raw = chat.chat.completions.with_raw_response.create(
        model="auto", messages=HI, extra_headers=SPORT, **asked
    )
    assert answered_by(raw) == ("gpt", "2")
    assert raw.http_response.read()
    first, second = sent(both_providers, 0), sent(both_providers, 1)
    assert (first.provider, second.provider) == ("claude", "openai")
    # The second model has what the client sent, not what the first one got.
    assert json.loads(second.body) == {"messages": HI, "model": config.upstream("gpt"), **asked}


def test_failover_between_two_of_the_other_api(
    claude: anthropic.Anthropic, both_providers: SimulatedProviders
) -> None:
    both_providers.fault("openai", Fault(kind=FaultKind.STATUS, model=config.upstream("gpt")))
    raw = claude.messages.with_raw_response.create(
        model="auto", max_tokens=9, messages=HI, extra_headers={"x-prism-mode": "balanced"}
    )
    assert answered_by(raw) == ("mini", "2")
    assert [sent(both_providers, n).model for n in (0, 1)] == ["gpt-2026-11", "mini-2026-11"]
    assert raw.parse().content[0].type == "text"


def test_an_answer_that_cannot_be_translated_is_failed_over(
    chat: openai.OpenAI, both_providers: SimulatedProviders
) -> None:
    both_providers.fault("claude", Fault(kind=FaultKind.GARBAGE))
    raw = chat.chat.completions.with_raw_response.create(
        model="auto", messages=HI, extra_headers=SPORT
    )
    assert answered_by(raw) == ("gpt", "2")
    assert raw.parse().choices[0].message.content


@STREAM
def test_a_model_whose_answers_cannot_be_translated_goes_last(tmp_path: Path, stream: bool) -> None:
    asked: Any = {"model": "auto", "messages": HI, "stream": stream, "extra_headers": SPORT}
    with (
        both_apis.running(tmp_path) as (providers, gateway),
        openai.OpenAI(base_url=gateway.base_url, api_key=config.CLIENT_KEY, max_retries=0) as chat,
    ):
        create = chat.chat.completions.with_raw_response.create
        providers.fault("claude", Fault(kind=FaultKind.GARBAGE))
        for _ in range(3):
            with suppress(openai.APIError):
                answer = create(**asked)
                list(answer.parse())
        until(lambda: "opus" in gateway.status()["failingModels"], "opus to be known as failing")
        tried = gateway.record(answer.headers["x-prism-decision-id"])["outcome"].get("tried", [])
        said = [(one["model"], one["result"], one["status"], one.get("reason")) for one in tried]
        untold = [("opus", "failed", 200, "can't be translated"), ("gpt", "answered", 200, None)]
        # An error in a stream is no attempt's end: that is what the client got.
        assert said == ([] if stream else untold)
        assert answered_by(create(**asked)) == ("gpt", "1")


@pytest.fixture(scope="module")
def racing(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[SimulatedProviders, Gateway]]:
    """Eco and sport race an OpenAI model and one of Anthropic's, in either order."""
    spec = {"racing": {"modes": ["eco", "sport"], "maxShare": 1, "waitMs": 0}}
    with both_apis.running(tmp_path_factory.mktemp("racing"), **spec) as made:
        yield made


@STREAM
@pytest.mark.parametrize("late", both_apis.APIS)
@pytest.mark.parametrize("mode", [ECO, SPORT], ids=["OpenAI first", "Anthropic first"])
@pytest.mark.parametrize("path", ["/chat/completions", "/messages"])
def test_races_across_the_apis(
    racing: tuple[SimulatedProviders, Gateway],
    path: str,
    mode: dict[str, str],
    late: str,
    stream: bool,
) -> None:
    providers, gateway = racing
    providers.reset()
    providers.fault(late, LATE)
    body = {"model": "auto", "max_tokens": 100, "messages": HI, "stream": stream}
    headers = {**mode, "x-api-key": config.CLIENT_KEY}
    if path == "/messages":
        headers["anthropic-version"] = "2023-06-01"
    answer = httpx.post(gateway.base_url + path, json=body, headers=headers, timeout=60)
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-prism-provider"] != late
    if stream:
        end = '"type":"message_stop"' if path == "/messages" else "data: [DONE]"
        assert end in answer.text.replace('": "', '":"')
    else:
        assert ("content" if path == "/messages" else "choices") in answer.json()
    got = {sent(providers, n).provider: sent(providers, n) for n in range(len(providers.requests))}
    first = "openai" if mode is ECO else "claude"
    # A second that is late may not have been asked before the first answered.
    assert set(got) == set(both_apis.APIS) or (late != first and set(got) == {first})
    if late in got:
        until(lambda: got[late].cancelled, "the loser to be cancelled")


def test_counting_tokens_is_not_raced(tmp_path: Path) -> None:
    spec: dict[str, Any] = {"racing": {"modes": ["sport"], "maxShare": 1, "waitMs": 0}}
    # Two that can count, each at a provider of its own.
    spec["cells"] = {task: {**both_apis.CELLS, "sport": ["opus", "haiku"]} for task in config.CELLS}
    with both_apis.running(tmp_path, **spec) as (providers, gateway):
        second = {"name": "claude2", "baseURL": providers.url("claude"), "api": "Anthropic"}
        document = yaml.safe_load((gateway.config / "table.yaml").read_text("utf-8"))
        document["spec"]["providers"].append({**second, "credentials": [{"key": "CLAUDE_KEY"}]})
        for model in document["spec"]["models"]:
            if model["name"] == "haiku":
                model["provider"] = "claude2"
        before = gateway.status()["planVersion"]
        config.write(gateway.config, document, config.policies()[:1])
        until(lambda: gateway.status()["planVersion"] != before, "the change to be live")
        asked: Any = {"model": "auto", "messages": HI, "extra_headers": SPORT}
        key = config.CLIENT_KEY
        with anthropic.Anthropic(base_url=gateway.url, api_key=key, max_retries=0) as claude:
            assert claude.messages.count_tokens(**asked).input_tokens > 0
            assert gateway.status()["races"]["sent"] == 0
            assert len(providers.requests) == 1
            claude.messages.create(**asked, max_tokens=9)
            assert gateway.status()["races"]["sent"] == 1


def answered_by(raw: Any) -> tuple[str, str]:
    """The model that answered, and on which attempt."""
    return raw.headers["x-prism-model"], raw.headers["x-prism-attempts"]
