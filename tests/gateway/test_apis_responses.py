"""OpenAI's Responses, routed among the models that have them."""

from __future__ import annotations

import json

import openai
import pytest

from prism.providers import SimulatedProviders

from . import config
from .running import Gateway


def test_responses_by_the_sdk(
    chat: openai.OpenAI, both_gateway: Gateway, both_providers: SimulatedProviders
) -> None:
    raw = chat.responses.with_raw_response.create(
        model="auto", input="What is the capital of France?", extra_body={"prism": {"mode": "eco"}}
    )
    answer = raw.parse()
    assert answer.output_text
    assert raw.headers["x-prism-model"] == "gpt"  # not eco's first: that has no Responses
    request = both_providers.requests[0]
    assert request.path == "/openai/v1/responses"
    assert json.loads(request.body) == {
        "input": "What is the capital of France?",
        "model": config.upstream("gpt"),
    }
    assert answer.usage is not None
    outcome = both_gateway.record(raw.headers["x-prism-decision-id"])["outcome"]
    assert outcome["inputTokens"] == answer.usage.input_tokens > 0
    assert outcome["outputTokens"] == answer.usage.output_tokens > 0
    with pytest.raises(openai.BadRequestError, match="previous_response_id"):
        chat.responses.create(model="auto", input="and?", previous_response_id=answer.id)
    chat.responses.create(model="gpt", input="and?", previous_response_id=answer.id)


def test_responses_streamed_by_the_sdk(chat: openai.OpenAI, both_gateway: Gateway) -> None:
    with chat.responses.with_streaming_response.create(
        model="auto", input="hi", stream=True
    ) as raw:
        assert any("response.completed" in line for line in raw.iter_lines())
        decision_id = raw.headers["x-prism-decision-id"]
    assert both_gateway.record(decision_id)["outcome"]["inputTokens"] > 0
