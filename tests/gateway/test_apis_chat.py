"""OpenAI's SDK at models of either API, on the real Envoy."""

from __future__ import annotations

import json
from typing import Any

import openai

from prism.providers import SimulatedProviders

from . import config
from .both_apis import BOTH, HI, PIXEL, SCHEMA, sent
from .running import Gateway


@BOTH
def test_chat_plain(
    chat: openai.OpenAI,
    both_gateway: Gateway,
    both_providers: SimulatedProviders,
    mode: dict[str, str],
) -> None:
    messages = [{"role": "system", "content": "Be brief."}, *HI]
    raw = chat.chat.completions.with_raw_response.create(
        model="auto", messages=messages, extra_headers=mode
    )
    answer = raw.parse()
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"
    request = sent(both_providers)
    body = json.loads(request.body)
    assert raw.headers["x-prism-provider"] == request.provider
    assert raw.headers["x-prism-attempts"] == "1"
    assert body["model"] == config.upstream(raw.headers["x-prism-model"])
    if request.provider == "claude":
        assert body["system"] == "Be brief."
        assert body["max_tokens"] > 0
    outcome = both_gateway.record(raw.headers["x-prism-decision-id"])["outcome"]
    assert answer.usage is not None
    assert outcome["inputTokens"] == answer.usage.prompt_tokens > 0
    assert outcome["outputTokens"] == answer.usage.completion_tokens > 0


@BOTH
def test_chat_streamed(
    chat: openai.OpenAI,
    both_gateway: Gateway,
    both_providers: SimulatedProviders,
    mode: dict[str, str],
) -> None:
    with chat.chat.completions.with_streaming_response.create(
        model="auto",
        messages=HI,
        stream=True,
        stream_options={"include_usage": True},
        extra_headers=mode,
    ) as raw:
        lines = [line for line in raw.iter_lines() if line.startswith("data: ")]
        decision_id = raw.headers["x-prism-decision-id"]
    assert lines.pop() == "data: [DONE]"
    chunks = [json.loads(line.removeprefix("data: ")) for line in lines]
    text = "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks if c["choices"])
    assert text
    usage = chunks[-1]["usage"]
    outcome = both_gateway.record(decision_id)["outcome"]
    assert outcome["inputTokens"] == usage["prompt_tokens"] > 0
    assert outcome["outputTokens"] == usage["completion_tokens"] > 0
    sent(both_providers)


@BOTH
def test_chat_tools_there_and_back(
    chat: openai.OpenAI, both_providers: SimulatedProviders, mode: dict[str, str]
) -> None:
    tools: list[Any] = [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}]
    ask: dict[str, Any] = {"model": "auto", "tools": tools, "extra_headers": mode}
    first = chat.chat.completions.create(messages=HI, **ask)
    assert first.choices[0].finish_reason == "tool_calls"
    message = first.choices[0].message
    assert message.tool_calls is not None
    call: Any = message.tool_calls[0]
    assert call.function.name == "weather"
    assert "city" in json.loads(call.function.arguments)
    result = {"role": "tool", "tool_call_id": call.id, "content": "22 degrees"}
    told: list[Any] = [*HI, message.to_dict(), result]
    last = chat.chat.completions.create(messages=told, **ask)
    assert last.choices[0].message.content
    assert b"22 degrees" in sent(both_providers, 1).body
    stream = chat.chat.completions.create(messages=HI, stream=True, **ask)
    parts = [c.choices[0].delta.tool_calls[0] for c in stream if c.choices[0].delta.tool_calls]
    assert parts[0].function is not None
    assert parts[0].function.name == "weather"
    json.loads("".join((p.function and p.function.arguments) or "" for p in parts))


@BOTH
def test_chat_images(
    chat: openai.OpenAI, both_providers: SimulatedProviders, mode: dict[str, str]
) -> None:
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    content = [{"type": "text", "text": "What is this?"}, image]
    messages: list[Any] = [{"role": "user", "content": content}]
    answer = chat.chat.completions.create(model="auto", messages=messages, extra_headers=mode)
    assert answer.choices[0].message.content
    assert PIXEL.encode() in sent(both_providers).body
