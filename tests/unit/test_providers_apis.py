"""The other APIs of the simulated providers, and how a provider is addressed."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import openai
import pytest

from prism.providers import ModelTiming, ProviderSpec, SimulatedProviders

TOOL: Any = {
    "type": "function",
    "name": "weather",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}


@pytest.fixture
async def sim() -> AsyncIterator[SimulatedProviders]:
    known = {"gpt-5-mini": ModelTiming(), "text-embedding-3-small": ModelTiming()}
    specs = [
        ProviderSpec("openai", models=known),
        ProviderSpec("google", base_path="/v1beta/openai"),
        ProviderSpec("anthropic", api_key="sk-ant"),
    ]
    async with SimulatedProviders(specs) as sim:
        yield sim


@pytest.fixture
async def client(sim: SimulatedProviders) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=sim.url("openai"), api_key="k", max_retries=0) as client:
        yield client


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def test_response_plain_and_streamed_say_the_same(client: openai.AsyncOpenAI):
    asked: Any = {"model": "gpt-5-mini", "input": "Hello"}
    plain = await client.responses.create(**asked)
    async with client.responses.stream(**asked) as stream:
        kinds = [event.type async for event in stream]
        streamed = await stream.get_final_response()
    assert plain.output_text.startswith("[openai/gpt-5-mini] You said: Hello")
    assert streamed.output_text == plain.output_text
    assert (kinds[0], kinds[-1]) == ("response.created", "response.completed")
    assert plain.usage is not None
    assert plain.usage.output_tokens == 20


async def test_response_calls_a_tool(client: openai.AsyncOpenAI):
    asked: Any = {"model": "gpt-5-mini", "input": "Hello", "tools": [TOOL]}
    plain: Any = (await client.responses.create(**asked)).output[0]
    stream: Any = await client.responses.create(**asked, stream=True)
    pieces = [
        event.delta
        async for event in stream
        if event.type == "response.function_call_arguments.delta"
    ]
    assert (plain.type, plain.name) == ("function_call", "weather")
    assert json.loads(plain.arguments) == json.loads("".join(pieces)) == {"city": "text"}


async def test_response_follows_a_schema_and_a_bound(client: openai.AsyncOpenAI):
    wanted: Any = {
        "format": {"type": "json_schema", "name": "w", "schema": TOOL["parameters"]},
    }
    shaped = await client.responses.create(model="gpt-5-mini", input="Hello", text=wanted)
    cut = await client.responses.create(model="gpt-5-mini", input="Hello", max_output_tokens=5)
    assert json.loads(shaped.output_text) == {"city": "text"}
    assert cut.status == "incomplete"


async def test_completion_plain_and_streamed_say_the_same(client: openai.AsyncOpenAI):
    plain = await client.completions.create(model="gpt-5-mini", prompt="Hello", max_tokens=50)
    stream = await client.completions.create(
        model="gpt-5-mini", prompt="Hello", max_tokens=50, stream=True
    )
    pieces = [chunk.choices[0].text async for chunk in stream]
    assert "".join(pieces) == plain.choices[0].text
    assert "You said: Hello" in plain.choices[0].text


async def test_embeddings_are_unit_vectors_in_either_format(client: openai.AsyncOpenAI):
    asked: Any = {"model": "text-embedding-3-small", "input": ["a", "b"], "dimensions": 64}
    packed = await client.embeddings.create(**asked)
    plain = await client.embeddings.create(**asked, encoding_format="float")
    vectors = [each.embedding for each in plain.data]
    assert [each.embedding for each in packed.data] == [pytest.approx(v) for v in vectors]
    assert vectors[0] != vectors[1]
    assert sum(each * each for each in vectors[0]) == pytest.approx(1, abs=1e-4)


async def test_models_are_those_of_the_spec(client: openai.AsyncOpenAI):
    assert [model.id async for model in client.models.list()] == [
        "gpt-5-mini",
        "text-embedding-3-small",
    ]
    assert (await client.models.retrieve("gpt-5-mini")).owned_by == "openai"
    with pytest.raises(openai.NotFoundError):
        await client.models.retrieve("auto")


ANTHROPIC = {"anthropic-version": "2023-06-01"}
MESSAGE = {"model": "claude", "max_tokens": 99, "messages": [{"role": "user", "content": "Hello"}]}


async def test_anthropic_message_plain_and_streamed(
    sim: SimulatedProviders, session: aiohttp.ClientSession
):
    url, headers = sim.url("anthropic") + "/messages", {**ANTHROPIC, "x-api-key": "sk-ant"}
    async with session.post(url, json=MESSAGE, headers=headers) as response:
        plain = await response.json()
    async with session.post(url, json={**MESSAGE, "stream": True}, headers=headers) as response:
        frames = (await response.text()).strip().split("\n\n")
    events = [json.loads(frame.partition("data: ")[2]) for frame in frames]
    text = "".join(event["delta"]["text"] for event in events if "text" in event.get("delta", {}))
    assert plain["content"][0]["text"] == text
    assert plain["stop_reason"] == "end_turn"
    assert (events[0]["type"], events[-1]["type"]) == ("message_start", "message_stop")


async def test_anthropic_tool_use_and_errors(
    sim: SimulatedProviders, session: aiohttp.ClientSession
):
    url = sim.url("anthropic") + "/messages"
    tool = {"name": "weather", "input_schema": TOOL["parameters"]}
    body = {**MESSAGE, "tools": [tool]}
    async with session.post(
        url, json=body, headers={**ANTHROPIC, "x-api-key": "sk-ant"}
    ) as response:
        block = (await response.json())["content"][0]
    assert (block["type"], block["input"]) == ("tool_use", {"city": "text"})
    async with session.post(url, json=body) as response:
        assert response.status == 401
        assert (await response.json())["error"]["type"] == "authentication_error"


@pytest.mark.parametrize(
    ("method", "path", "status", "said"),
    [
        ("POST", "/openai/v1/nowhere", 404, "Invalid URL (POST /openai/v1/nowhere)"),
        ("POST", "/openai/v2/chat/completions", 404, "Invalid URL"),
        ("GET", "/openai/v1/chat/completions", 405, "Not allowed to GET"),
        ("POST", "/openai/v1/models", 405, "Not allowed to POST"),
        ("POST", "/nobody/v1/chat/completions", 404, "No provider 'nobody'"),
        ("GET", "/", 404, "No provider ''"),
    ],
)
async def test_wrong_addresses_get_openai_errors(
    sim: SimulatedProviders,
    session: aiohttp.ClientSession,
    method: str,
    path: str,
    status: int,
    said: str,
):
    async with session.request(method, sim.origin + path) as response:
        assert response.status == status
        assert said in (await response.json())["error"]["message"]


@pytest.mark.parametrize(
    ("path", "host", "provider"),
    [
        ("/v1/chat/completions", "anthropic.localhost", "anthropic"),
        ("/v1/chat/completions?x=1", "OpenAI.localhost:9000", "openai"),
        ("/v1beta/openai/chat/completions", "google.localhost", "google"),
        ("/google/v1beta/openai/chat/completions", "openai.localhost", "google"),
        ("/google/v1beta/openai/chat/completions", "example.com", "google"),
    ],
)
async def test_a_provider_is_addressed_by_host_or_path(
    sim: SimulatedProviders, session: aiohttp.ClientSession, path: str, host: str, provider: str
):
    body = {"model": "gpt-5-mini", "messages": MESSAGE["messages"]}
    headers = {"Host": host, "Authorization": "Bearer sk-ant"}
    async with session.post(sim.origin + path, json=body, headers=headers) as response:
        assert response.status == 200
        content = (await response.json())["choices"][0]["message"]["content"]
    assert content.startswith(f"[{provider}/gpt-5-mini]")
    assert sim.requests[-1].provider == provider
