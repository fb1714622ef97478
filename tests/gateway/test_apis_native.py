"""What needs no translation: not a byte changes, and no answer meets Python."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import anthropic
import httpx
import openai
import pytest

from prism.providers import Fault, FaultKind, SimulatedProviders

from . import config
from .both_apis import ECO, HI, SPORT
from .running import Gateway

pytestmark = pytest.mark.usefixtures("both_healed")
CHAT = {"model": "auto", "messages": HI}
MESSAGES = {**CHAT, "max_tokens": 100}
VERSION = {"anthropic-version": "2023-06-01"}
RESPONSES = {"model": "auto", "input": "hi"}


@dataclass(frozen=True)
class Passed:
    """What Prism and the internal listener have seen."""

    route: int
    attempts: int
    detours: int

    def __sub__(self, before: Passed) -> Passed:
        return Passed(
            self.route - before.route,
            self.attempts - before.attempts,
            self.detours - before.detours,
        )


def passed(gateway: Gateway) -> Passed:
    stages = "gateway.ext_proc.route-at-once", "attempts.ext_proc.attempt"
    route, attempts = (gateway.counter(f"http.{stage}.stream_msgs_sent") for stage in stages)
    return Passed(route, attempts, gateway.counter("http.attempts.downstream_rq_total"))


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize(
    ("path", "body", "mode"),
    [
        ("/chat/completions", CHAT, ECO),
        ("/messages", MESSAGES, SPORT),
        ("/responses", RESPONSES, ECO),
    ],
    ids=["chat", "messages", "responses"],
)
def test_native_answers_pass_no_python(
    both_http: httpx.Client,
    both_gateway: Gateway,
    path: str,
    body: dict[str, Any],
    mode: dict[str, str],
    stream: bool,
) -> None:
    before = passed(both_gateway)
    headers = {**mode, **(VERSION if path == "/messages" else {})}
    answer = both_http.post(path, json={**body, "stream": stream}, headers=headers)
    assert answer.status_code == 200, answer.text
    assert passed(both_gateway) - before == Passed(route=1, attempts=0, detours=0)


def test_a_further_native_attempt_shows_prism_its_request_only(
    both_http: httpx.Client, both_gateway: Gateway, both_providers: SimulatedProviders
) -> None:
    fault = Fault(kind=FaultKind.STATUS, model=config.upstream("gpt"))
    both_providers.fault("openai", fault)
    before = passed(both_gateway)
    headers = {"x-prism-mode": "balanced"}
    answer = both_http.post("/chat/completions", json={**CHAT, "stream": True}, headers=headers)
    assert answer.headers["x-prism-model"] == "mini"
    assert passed(both_gateway) - before == Passed(route=1, attempts=2, detours=1)


def test_a_translated_stream_is_seen(both_http: httpx.Client, both_gateway: Gateway) -> None:
    """The same counters tell a translated answer, else they would prove nothing."""
    before = passed(both_gateway)
    both_http.post("/chat/completions", json={**CHAT, "stream": True}, headers=SPORT)
    found = passed(both_gateway) - before
    # Headers and body of the request, headers of the answer, and pieces of its body.
    assert found.attempts > 3


def test_models_are_listed_in_the_words_of_both_sdks(
    chat: openai.OpenAI, claude: anthropic.Anthropic
) -> None:
    names = ["auto", "gpt", "mini", "opus", "haiku"]
    assert [model.id for model in chat.models.list()] == names
    assert [model.id for model in claude.models.list()] == names
    assert chat.models.retrieve("opus").owned_by == "claude"
    found = claude.models.retrieve("opus")
    assert (found.type, found.display_name) == ("model", "opus")
    with pytest.raises(anthropic.NotFoundError):
        claude.models.retrieve("nope")


def test_tokens_are_counted_where_that_can_be_done(
    claude: anthropic.Anthropic, both_http: httpx.Client, both_providers: SimulatedProviders
) -> None:
    found = claude.messages.count_tokens(model="auto", messages=HI, extra_headers=ECO)
    assert found.input_tokens > 0
    request = both_providers.requests[0]
    assert request.path == "/claude/v1/messages/count_tokens"
    assert request.model == config.upstream("haiku")  # eco's first has no such path
    refused = both_http.post(
        "/messages/count_tokens", json={"model": "gpt", "messages": HI}, headers=ECO
    )
    assert refused.status_code == 400
    assert "speaks OpenAI's API" in refused.json()["error"]["message"]


def test_native_messages_pass_byte_for_byte(
    both_http: httpx.Client, both_providers: SimulatedProviders
) -> None:
    body = (
        b'{ "messages" : [{"role":"user","content":"h\\u00e9!","cache_control":{"type":"x"}}],'
        b'"prism":{"mode":"sport"}, "max_tokens":100,\n "unknown":12345678901234567890123,'
        b' "model":"auto","x":[1.0] }'
    )
    passed = body.replace(b'"prism":{"mode":"sport"}, ', b"").replace(b'"auto"', b'"opus-2026-11"')
    headers = {"content-type": "application/json", **VERSION}
    for name in ("anthropic-beta", "x-custom"):
        headers[name] = "kept"
    both_http.post("/messages?beta=true", content=body, headers=headers)
    request = both_providers.requests[0]
    assert request.body == passed
    assert request.path == "/claude/v1/messages?beta=true"
    assert (request.header("anthropic-beta"), request.header("x-custom")) == ("kept", "kept")
