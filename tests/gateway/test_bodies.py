"""Bodies and streams are never damaged: compared byte for byte at the provider."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import httpx
import openai
import pytest

from prism.providers import Fault, FaultKind, ProviderSpec, SimulatedProviders

from . import config
from .running import Gateway, chat, simulated

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "The weather somewhere",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}, "model": {"type": "string"}},
                "required": ["city"],
            },
        },
    }
]
PIXEL = "data:image/png;base64," + base64.b64encode(b"\x89PNG" + bytes(200)).decode()


def sent(http: httpx.Client, providers: SimulatedProviders, body: bytes) -> bytes:
    """Send a body; what the provider received."""
    answer = http.post(
        "/chat/completions", content=body, headers={"content-type": "application/json"}
    )
    assert answer.status_code == 200, answer.text
    received: bytes = providers.requests[-1].body
    return received


def replaced(body: bytes, model: str) -> bytes:
    return body.replace(b'"auto"', json.dumps(config.upstream(model)).encode(), 1)


ODD = [
    b'{"model":"auto","messages":[{"role":"user","content":"hi"}]}',
    b'\n {  "messages" : [ {"content":"hi","role":"user"} ],\t"model" : "auto"  }\r\n',
    b'{"model":"auto","messages":[{"role":"user","content":"hi"}],"seed":123456789012345678901234567890,'
    b'"temperature":1.0,"top_p":1e-1,"new_field":{"z":1,"a":[2.50,"\\u00e9\\ud83d\\ude00"]}}',
    '{"model":"auto","messages":[{"role":"user","content":"Grüße 你好 😀 \\u0000"}]}'.encode(),
    b'{"metadata":{"model":"auto2","prism":1},"model":"auto","messages":[{"role":"user",'
    b'"content":[{"type":"text","text":"a"},{"type":"text","text":"\\"model\\":\\"auto\\""}]}]}',
]


@pytest.mark.parametrize("body", ODD, ids=range(len(ODD)))
def test_only_the_model_s_bytes_change(
    http: httpx.Client, providers: SimulatedProviders, body: bytes
) -> None:
    received = sent(http, providers, body)
    model = json.loads(received)["model"].removesuffix("-2026-11")
    assert received == replaced(body, model)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'{"prism":{"mode":"eco"},"model":"auto",%s}', b'{"model":%s,%s}'),
        (b'{"model":"auto","prism":{"mode":"eco"},%s}', b'{"model":%s,%s}'),
        (b'{"model":"auto",%s , "prism" : {"mode":"eco"} }', b'{"model":%s,%s }'),
    ],
    ids=["first", "middle", "last"],
)
def test_the_prism_object_never_reaches_a_provider(
    http: httpx.Client, providers: SimulatedProviders, before: bytes, after: bytes
) -> None:
    messages = b'"messages":[{"role":"user","content":"What is the capital of Peru?"}]'
    received = sent(http, providers, before % messages)
    name = json.dumps(json.loads(received)["model"]).encode()
    assert received == after % (name, messages)


@pytest.mark.parametrize("size", [1_000, 64_000, 3_000_000, 31_000_000])
def test_large_bodies_arrive_whole(
    http: httpx.Client, providers: SimulatedProviders, size: int
) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * size}}
    parts = [image, {"type": "text", "text": "What is in this picture?"}]
    message = {"role": "user", "content": parts}
    body = json.dumps({"model": "auto", "messages": [message]}).encode()
    received = sent(http, providers, body)
    model = json.loads(received)["model"].removesuffix("-2026-11")
    assert received == replaced(body, model)
    # A model without vision could not have answered.
    assert "vision" in config.MODELS[model][3]


@pytest.mark.usefixtures("healed")
def test_a_large_body_fails_over_whole(http: httpx.Client, providers: SimulatedProviders) -> None:
    providers.fault("beta", Fault(kind=FaultKind.STATUS, status=503))
    text = "def f():\n    return 1\n" * 250_000
    body = json.dumps(
        {"messages": [{"role": "user", "content": text}], "model": "auto", "seed": 7}
    ).encode()
    headers = {"x-prism-mode": "sport", "content-type": "application/json"}
    answer = http.post("/chat/completions", content=body, headers=headers)
    assert answer.headers["x-prism-attempts"] == "2"
    model = answer.headers["x-prism-model"]
    assert [r.body for r in providers.requests] == [replaced(body, "giant"), replaced(body, model)]


def test_a_chunked_upload_arrives_whole(http: httpx.Client, providers: SimulatedProviders) -> None:
    body = b'{"model":"auto","messages":[{"role":"user","content":"%s"}]}' % (b"word " * 20_000)
    pieces = (body[at : at + 7000] for at in range(0, len(body), 7000))
    answer = http.post(
        "/chat/completions", content=pieces, headers={"content-type": "application/json"}
    )
    assert answer.status_code == 200
    model = answer.headers["x-prism-model"]
    assert providers.requests[-1].body == replaced(body, model)


def test_an_answer_larger_than_any_request_arrives_whole(
    own_gateway: Callable[..., Gateway], providers: SimulatedProviders
) -> None:
    """Envoy collects answers to read their usage; it must not try that with these."""
    key = config.KEYS["ALPHA_KEY"]
    with simulated([ProviderSpec("alpha", api_key=key, answer_tokens=600_000)]) as talkative:
        urls = {name: providers.url(name) for name in config.PROVIDERS}
        urls["alpha"] = talkative.url("alpha")
        table = config.table(urls)["spec"]
        gateway = own_gateway("--max-body", "1", providers=table["providers"])
        providers.fault("beta", Fault(kind=FaultKind.STATUS, status=503))
        url, body = f"{gateway.base_url}/chat/completions", chat("What is the capital of France?")
        for mode, attempts in (("balanced", "1"), ("sport", "2")):
            headers = {"authorization": f"Bearer {config.CLIENT_KEY}", "x-prism-mode": mode}
            answer = httpx.post(url, json=body, headers=headers, timeout=60)
            assert (answer.status_code, answer.headers["x-prism-model"]) == (200, "mini")
            assert answer.headers["x-prism-attempts"] == attempts
            assert len(answer.json()["choices"][0]["message"]["content"]) > 2_000_000


def test_tools_work(client: openai.OpenAI) -> None:
    messages: list[Any] = [{"role": "user", "content": "Weather in Oslo?"}]
    first = client.chat.completions.create(model="auto", messages=messages, tools=TOOLS)  # type: ignore[call-overload]
    call = first.choices[0].message.tool_calls[0]
    assert call.function.name == "weather"
    assert "city" in json.loads(call.function.arguments)
    messages += [
        first.choices[0].message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": call.id, "content": "4 degrees"},
    ]
    second = client.chat.completions.create(model="auto", messages=messages, tools=TOOLS)  # type: ignore[call-overload]
    assert second.choices[0].finish_reason == "stop"


def test_vision_and_json_schema_choose_models_that_can(client: openai.OpenAI) -> None:
    content: Any = [
        {"type": "text", "text": "What is in this picture?"},
        {"type": "image_url", "image_url": {"url": PIXEL}},
    ]
    schema = {
        "name": "seen",
        "schema": {
            "type": "object",
            "properties": {"thing": {"type": "string"}},
            "required": ["thing"],
        },
    }
    answer = client.chat.completions.with_raw_response.create(
        model="auto",
        messages=[{"role": "user", "content": content}],
        response_format={"type": "json_schema", "json_schema": schema},  # type: ignore[typeddict-item]
    )
    model = answer.headers["x-prism-model"]
    assert {"vision", "jsonSchema"} <= set(config.MODELS[model][3])
    assert "thing" in json.loads(answer.parse().choices[0].message.content or "")


def test_streaming_works(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model="auto",
        messages=[{"role": "user", "content": "What is the capital of Peru?"}],
        stream=True,
    )
    chunks = list(stream)
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert "[alpha/mini-2026-11]" in text
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_streamed_tool_calls_work(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model="auto",
        messages=[{"role": "user", "content": "Weather in Oslo?"}],
        tools=TOOLS,  # type: ignore[arg-type]
        stream=True,
    )
    calls = [c.choices[0].delta.tool_calls for c in stream if c.choices]
    arguments = "".join(
        call.function.arguments or "" for found in calls if found for call in found if call.function
    )
    assert "city" in json.loads(arguments)


def test_a_stream_is_passed_on_as_it_comes(
    http: httpx.Client, providers: SimulatedProviders
) -> None:
    """The first piece is here while the provider still holds back the rest."""
    providers.fault("alpha", Fault(kind=FaultKind.SLOW, between_ms=100))
    body = {"model": "mini", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    with http.stream("POST", "/chat/completions", json=body) as answer:
        incoming = answer.iter_bytes()
        pieces = [next(incoming)]
        assert providers.requests[-1].finished_at is None
        pieces += incoming
    assert len(pieces) > 2
    assert b"data: [DONE]" in pieces[-1]


@pytest.mark.parametrize("path", ["/embeddings", "/responses"])
def test_other_paths_go_to_the_model_s_provider(
    http: httpx.Client, providers: SimulatedProviders, path: str
) -> None:
    body = b'{"input": "hello", "model" : "euro", "x": 1.0}'
    answer = http.post(path, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-prism-model"] == "euro"
    received = providers.requests[-1]
    assert (received.provider, received.path) == ("gamma", f"/gamma/v1{path}")
    assert received.body == body.replace(b'"euro"', b'"euro-2026-11"')


def test_the_embeddings_client_works(client: openai.OpenAI) -> None:
    assert client.embeddings.create(model="euro", input="hello").data[0].embedding
