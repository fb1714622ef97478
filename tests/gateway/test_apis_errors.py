"""Errors, refusals and broken streams in the shape of the client's API."""

from __future__ import annotations

import contextlib

import anthropic
import httpx
import httpx2  # the one that both SDKs use
import openai
import pytest

from prism.providers import Fault, FaultKind, SimulatedProviders

from .both_apis import HI, SPORT
from .running import Gateway, error_of, until

pytestmark = pytest.mark.usefixtures("both_healed")


def test_errors_of_providers_are_translated(
    chat: openai.OpenAI, claude: anthropic.Anthropic, both_providers: SimulatedProviders
) -> None:
    both_providers.fault("claude", Fault(kind=FaultKind.STATUS, status=429, retry_after=7))
    with pytest.raises(openai.RateLimitError) as limited:
        chat.chat.completions.create(model="opus", messages=HI)
    assert limited.value.response.headers["retry-after"] == "7"
    error_of(limited.value.response)
    both_providers.fault("openai", Fault(kind=FaultKind.STATUS, status=400))
    with pytest.raises(anthropic.BadRequestError) as wrong:
        claude.messages.create(model="gpt", max_tokens=10, messages=HI)
    assert wrong.value.response.json()["type"] == "error"


def test_errors_of_prism_have_the_shape_of_the_api(
    claude: anthropic.Anthropic, both_gateway: Gateway, both_providers: SimulatedProviders
) -> None:
    with pytest.raises(anthropic.NotFoundError, match="does not exist"):
        claude.messages.create(model="nope", max_tokens=10, messages=HI)
    stranger = anthropic.Anthropic(base_url=both_gateway.url, api_key="unknown", max_retries=0)
    with stranger, pytest.raises(anthropic.AuthenticationError):
        stranger.messages.create(model="auto", max_tokens=10, messages=HI)
    both_providers.fault("openai", Fault(kind=FaultKind.RESET))
    with pytest.raises(anthropic.APIStatusError) as reset:
        claude.messages.create(model="gpt", max_tokens=10, messages=HI)
    assert reset.value.response.json()["type"] == "error"


def test_what_cannot_be_translated_takes_another_model_or_is_refused(
    both_http: httpx.Client, both_providers: SimulatedProviders
) -> None:
    two = {"model": "auto", "messages": HI, "n": 2}
    answer = both_http.post("/chat/completions", json=two, headers=SPORT)
    assert answer.headers["x-prism-model"] == "gpt"
    refused = both_http.post("/chat/completions", json={**two, "model": "opus"})
    assert refused.status_code == 400
    assert "can't be translated to Anthropic's API: n: " in error_of(refused)["message"]


BROKEN = [FaultKind.STREAM_ERROR, FaultKind.CUT]


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_stream_is_an_error_for_openai_s_sdk(
    chat: openai.OpenAI, both_providers: SimulatedProviders, kind: FaultKind
) -> None:
    both_providers.fault("claude", Fault(kind=kind, after_chunks=4))
    stream = chat.chat.completions.create(model="opus", messages=HI, stream=True)
    with pytest.raises((openai.APIError, httpx2.TransportError)):
        list(stream)


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_stream_is_an_error_for_anthropic_s_sdk(
    claude: anthropic.Anthropic, both_providers: SimulatedProviders, kind: FaultKind
) -> None:
    both_providers.fault("openai", Fault(kind=kind, after_chunks=4))
    stream = claude.messages.create(model="gpt", max_tokens=9, messages=HI, stream=True)
    with pytest.raises((anthropic.APIError, httpx2.TransportError)):
        list(stream)


def test_a_client_that_leaves_a_translated_stream_ends_it_at_the_provider(
    chat: openai.OpenAI, both_providers: SimulatedProviders
) -> None:
    both_providers.fault("claude", Fault(kind=FaultKind.SLOW, between_ms=200))
    stream = chat.chat.completions.create(model="opus", messages=HI, stream=True)
    next(iter(stream))
    stream.close()
    until(lambda: both_providers.requests[0].cancelled, "the provider to be left")


def test_a_translated_stream_without_prism_is_an_error_and_no_short_answer(
    chat: openai.OpenAI, both_gateway: Gateway, both_providers: SimulatedProviders
) -> None:
    both_providers.fault("claude", Fault(kind=FaultKind.SLOW, between_ms=200))
    stream = iter(chat.chat.completions.create(model="opus", messages=HI, stream=True))
    next(stream)
    both_gateway.kill("prism")
    with pytest.raises((openai.APIError, httpx2.TransportError)):
        list(stream)
    until(both_gateway.ready, "Prism to be back")


def test_while_prism_is_away_each_api_has_its_own_error(
    claude: anthropic.Anthropic, both_http: httpx.Client, both_gateway: Gateway
) -> None:
    def away() -> anthropic.APIStatusError | None:
        try:
            claude.messages.create(model="auto", max_tokens=9, messages=HI)
        except anthropic.APIStatusError as error:
            return error
        with contextlib.suppress(KeyError, ProcessLookupError):  # not back yet
            both_gateway.kill("prism")
        return None

    error = until(away, "Prism to be away")
    assert error.status_code == 503
    assert error.response.json()["error"]["type"] == "overloaded_error"
    until(both_gateway.ready, "Prism to be back")
