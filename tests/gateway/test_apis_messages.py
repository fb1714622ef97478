"""Anthropic's SDK at models of either API, on the real Envoy."""

from __future__ import annotations

from typing import Any

import anthropic

from prism.providers import SimulatedProviders

from .both_apis import BOTH, HI, PIXEL, SCHEMA, sent
from .running import Gateway


@BOTH
def test_messages_plain(
    claude: anthropic.Anthropic,
    both_gateway: Gateway,
    both_providers: SimulatedProviders,
    mode: dict[str, str],
) -> None:
    raw = claude.messages.with_raw_response.create(
        model="auto", max_tokens=100, system="Be brief.", messages=HI, extra_headers=mode
    )
    answer = raw.parse()
    assert answer.type == "message"
    assert answer.content[0].type == "text"
    assert answer.stop_reason == "end_turn"
    request = sent(both_providers)
    assert raw.headers["x-prism-provider"] == request.provider
    outcome = both_gateway.record(raw.headers["x-prism-decision-id"])["outcome"]
    read, written = answer.usage.cache_read_input_tokens, answer.usage.cache_creation_input_tokens
    assert outcome["inputTokens"] == answer.usage.input_tokens + (read or 0) + (written or 0) > 0
    assert outcome["outputTokens"] == answer.usage.output_tokens > 0


@BOTH
def test_messages_streamed(
    claude: anthropic.Anthropic,
    both_gateway: Gateway,
    both_providers: SimulatedProviders,
    mode: dict[str, str],
) -> None:
    with claude.messages.stream(
        model="auto", max_tokens=100, messages=HI, extra_headers=mode
    ) as stream:
        text = "".join(stream.text_stream)
        answer = stream.get_final_message()
        decision_id = stream.response.headers["x-prism-decision-id"]
    assert text
    assert answer.content[0].type == "text"
    assert answer.content[0].text == text
    outcome = both_gateway.record(decision_id)["outcome"]
    assert outcome["inputTokens"] > 0
    assert outcome["outputTokens"] == answer.usage.output_tokens > 0
    sent(both_providers)


@BOTH
def test_messages_tools_there_and_back(
    claude: anthropic.Anthropic, both_providers: SimulatedProviders, mode: dict[str, str]
) -> None:
    tools: list[Any] = [{"name": "weather", "input_schema": SCHEMA}]
    ask: dict[str, Any] = {
        "model": "auto",
        "max_tokens": 100,
        "tools": tools,
        "extra_headers": mode,
    }
    first = claude.messages.create(messages=HI, **ask)
    assert first.stop_reason == "tool_use"
    call = next(block for block in first.content if block.type == "tool_use")
    assert (call.name, list(call.input)) == ("weather", ["city"])
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "22 degrees"}
    told: list[Any] = [
        *HI,
        {"role": "assistant", "content": [block.to_dict() for block in first.content]},
        {"role": "user", "content": [result]},
    ]
    last = claude.messages.create(messages=told, **ask)
    assert last.content[0].type == "text"
    assert b"22 degrees" in sent(both_providers, 1).body
    with claude.messages.stream(messages=HI, **ask) as stream:
        again = stream.get_final_message()
    found = next(block for block in again.content if block.type == "tool_use")
    assert found.input == call.input


@BOTH
def test_messages_images(
    claude: anthropic.Anthropic, both_providers: SimulatedProviders, mode: dict[str, str]
) -> None:
    source = {"type": "base64", "media_type": "image/png", "data": PIXEL}
    content = [{"type": "image", "source": source}, {"type": "text", "text": "What is this?"}]
    messages: list[Any] = [{"role": "user", "content": content}]
    answer = claude.messages.create(
        model="auto", max_tokens=100, messages=messages, extra_headers=mode
    )
    assert answer.content[0].type == "text"
    assert PIXEL.encode() in sent(both_providers).body
