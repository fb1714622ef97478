"""Chat Completions of the simulated providers, asked by the real OpenAI client."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import openai
import pytest
from jsonschema import validate

from prism.providers import ModelTiming, ProviderSpec, SimulatedProviders

KEY = "sk-simulated"
ASKED: Any = [{"role": "user", "content": "What is a prism?"}]
TOOL: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "days": {"type": "integer", "minimum": 1},
                "unit": {"enum": ["celsius", "fahrenheit"]},
                "note": {"type": "string"},
            },
            "required": ["city", "days", "unit"],
        },
    },
}
OTHER_TOOL: Any = {"type": "function", "function": {"name": "clock"}}


@pytest.fixture
async def sim() -> AsyncIterator[SimulatedProviders]:
    specs = [
        ProviderSpec("openai", api_key=KEY, models={"gpt-5-mini": ModelTiming()}),
        ProviderSpec("any"),
    ]
    async with SimulatedProviders(specs) as sim:
        yield sim


@pytest.fixture
async def client(sim: SimulatedProviders) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=sim.url("openai"), api_key=KEY, max_retries=0) as client:
        yield client


async def ask(client: openai.AsyncOpenAI, **more: Any) -> Any:
    request = {"model": "gpt-5-mini", "messages": ASKED, **more}
    return await client.chat.completions.create(**request)


async def test_answer_names_provider_and_model_and_counts_tokens(client: openai.AsyncOpenAI):
    answer = await ask(client)
    text = answer.choices[0].message.content
    assert text.startswith("[openai/gpt-5-mini] You said: What is a prism?")
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == "gpt-5-mini"
    assert answer.id.startswith("chatcmpl-")
    assert answer.system_fingerprint
    assert answer.usage.prompt_tokens == 4
    assert answer.usage.completion_tokens == 20
    assert answer.usage.total_tokens == 24


async def test_same_request_gets_the_same_answer(client: openai.AsyncOpenAI):
    assert await ask(client) == await ask(client)
    assert (await ask(client)).id != (await ask(client, seed=1)).id


async def test_stream_is_the_plain_answer_in_pieces(client: openai.AsyncOpenAI):
    plain = await ask(client)
    stream = await ask(client, stream=True, stream_options={"include_usage": True})
    chunks = [chunk async for chunk in stream]
    pieces = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(pieces) == plain.choices[0].message.content
    assert len(pieces) > 10
    assert [chunk.usage for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert chunks[-1].choices == []
    assert chunks[-1].usage == plain.usage
    assert chunks[-2].choices[0].finish_reason == "stop"


async def test_stream_without_usage_ends_with_done(sim: SimulatedProviders):
    body = {"model": "m", "messages": ASKED, "stream": True}
    async with (
        aiohttp.ClientSession() as session,
        session.post(sim.url("any") + "/chat/completions", json=body) as response,
    ):
        assert response.content_type == "text/event-stream"
        frames = (await response.text()).split("\n\n")
    assert frames[-2:] == ["data: [DONE]", ""]
    assert all("usage" not in json.loads(frame[6:]) for frame in frames[:-2])


async def test_bound_of_tokens_cuts_the_answer(client: openai.AsyncOpenAI):
    answer = await ask(client, max_completion_tokens=3)
    assert answer.choices[0].message.content == "[openai/gpt-"
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens == 3


async def test_answers_are_as_long_as_the_spec_says():
    async with (
        SimulatedProviders([ProviderSpec("long", answer_tokens=300)]) as sim,
        openai.AsyncOpenAI(base_url=sim.url("long"), api_key="any") as client,
    ):
        whole = await ask(client)
        bounded = await ask(client, max_tokens=100)
    assert whole.usage.completion_tokens == 300
    assert bounded.usage.completion_tokens == 100


@pytest.mark.parametrize(
    ("choice", "name"),
    [
        ("auto", "weather"),
        ("required", "weather"),
        ({"type": "function", "function": {"name": "clock"}}, "clock"),
    ],
)
async def test_tools_are_called_with_what_they_require(
    client: openai.AsyncOpenAI, choice: Any, name: str
):
    answer = await ask(client, tools=[TOOL, OTHER_TOOL], tool_choice=choice)
    call = answer.choices[0].message.tool_calls[0]
    assert answer.choices[0].finish_reason == "tool_calls"
    assert answer.choices[0].message.content is None
    assert call.function.name == name
    expected = {"city": "text", "days": 1, "unit": "celsius"} if name == "weather" else {}
    assert json.loads(call.function.arguments) == expected


async def test_tool_calls_stream_as_deltas(client: openai.AsyncOpenAI):
    chunks = [chunk async for chunk in await ask(client, tools=[TOOL], stream=True)]
    calls = [
        call
        for chunk in chunks
        if chunk.choices
        for call in chunk.choices[0].delta.tool_calls or ()
    ]
    assert calls[0].function.name == "weather"
    assert calls[0].id.startswith("call_")
    arguments = "".join(call.function.arguments for call in calls)
    validate(json.loads(arguments), TOOL["function"]["parameters"])
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


async def test_prose_follows_a_tool_result_and_a_forbidden_tool(client: openai.AsyncOpenAI):
    result: Any = {"role": "tool", "tool_call_id": "call_1", "content": "sunny"}
    called: Any = {"role": "assistant", "content": None, "tool_calls": []}
    after = await ask(client, messages=[*ASKED, called, result], tools=[TOOL])
    forbidden = await ask(client, tools=[TOOL], tool_choice="none")
    for answer in (after, forbidden):
        assert answer.choices[0].finish_reason == "stop"
        assert "What is a prism?" in answer.choices[0].message.content


async def test_json_schema_is_satisfied(client: openai.AsyncOpenAI):
    schema = TOOL["function"]["parameters"]
    wanted = {"type": "json_schema", "json_schema": {"name": "w", "schema": schema}}
    answer = await ask(client, response_format=wanted)
    validate(json.loads(answer.choices[0].message.content), schema)


async def test_json_object_is_an_object(client: openai.AsyncOpenAI):
    answer = await ask(client, response_format={"type": "json_object"})
    assert "[openai/gpt-5-mini]" in json.loads(answer.choices[0].message.content)["answer"]


async def test_images_count_as_tokens(client: openai.AsyncOpenAI):
    parts = [
        {"type": "text", "text": "What is a prism?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
    ]
    answer = await ask(client, messages=[{"role": "user", "content": parts}])
    assert answer.usage.prompt_tokens == 4 + 85
    assert "What is a prism?" in answer.choices[0].message.content


@pytest.mark.parametrize("key", ["wrong", KEY + "x", "schlüssel"])
async def test_wrong_key_is_refused(sim: SimulatedProviders, key: str):
    headers = {"Authorization": f"Bearer {key}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(
            sim.url("openai") + "/chat/completions", json={"model": "m", "messages": ASKED}
        ) as response,
    ):
        assert response.status == 401
        error = (await response.json())["error"]
    assert error["code"] == "invalid_api_key"
    assert key not in error["message"]


async def test_missing_key_is_refused(sim: SimulatedProviders):
    async with (
        aiohttp.ClientSession() as session,
        session.post(sim.url("openai") + "/chat/completions", data=b"{}") as response,
    ):
        assert response.status == 401
        assert "didn't provide an API key" in (await response.json())["error"]["message"]


async def test_unknown_model_is_refused(client: openai.AsyncOpenAI):
    with pytest.raises(openai.NotFoundError) as caught:
        await ask(client, model="auto")
    assert caught.value.code == "model_not_found"


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff", b"[]", b'{"model": 1, "messages": []}', b'{"model": "m"}', b"[" * 9999],
)
async def test_wrong_body_is_refused(sim: SimulatedProviders, body: bytes):
    async with (
        aiohttp.ClientSession() as session,
        session.post(sim.url("any") + "/chat/completions", data=body) as response,
    ):
        assert response.status == 400
        assert (await response.json())["error"]["type"] == "invalid_request_error"
