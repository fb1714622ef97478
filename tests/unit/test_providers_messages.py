"""The simulated Messages API, asked by Anthropic's real SDK."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anthropic
import httpx2
import pytest
from anthropic.types import Message

from prism.providers import Fault, FaultKind, ProviderSpec, SimulatedProviders

HI: Any = {"role": "user", "content": "Hello"}
ASKED: Any = {"model": "claude", "max_tokens": 99, "messages": [HI]}
WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS: Any = [{"name": "weather", "input_schema": WEATHER}]
MARK = {"type": "ephemeral"}
PNG = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
USE = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "rain"}


def text(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **more}


@pytest.fixture
async def sim() -> AsyncIterator[SimulatedProviders]:
    async with SimulatedProviders([ProviderSpec("anthropic", api_key="sk-ant")]) as sim:
        yield sim


@pytest.fixture
async def client(sim: SimulatedProviders) -> AsyncIterator[anthropic.AsyncAnthropic]:
    origin = sim.url("anthropic").removesuffix("/v1")
    async with anthropic.AsyncAnthropic(base_url=origin, api_key="sk-ant", max_retries=0) as client:
        yield client


async def both(client: anthropic.AsyncAnthropic, **members: Any) -> tuple[Message, list[str]]:
    """The message, which must be the same at once and as a stream, and the stream's events."""
    asked = {**ASKED, **members}
    plain = await client.messages.create(**asked)
    Message.model_validate(plain.model_dump(), strict=True)
    async with client.messages.stream(**asked) as stream:
        kinds = [event.type async for event in stream]
        final = await stream.get_final_message()
    # The ids differ, as the bodies do: one of them asks for a stream.
    assert final.stop_reason == plain.stop_reason
    assert final.usage.model_dump() == plain.usage.model_dump()
    without_ids = [
        [block.model_dump(exclude={"id", "parsed_output"}) for block in message.content]
        for message in (plain, final)
    ]
    assert without_ids[0] == without_ids[1]
    return plain, kinds


async def test_text(client: anthropic.AsyncAnthropic):
    message, kinds = await both(client)
    assert message.content[0].type == "text"
    assert message.content[0].text.startswith("[anthropic/claude] You said: Hello")
    assert (message.stop_reason, message.usage.output_tokens) == ("end_turn", 20)
    assert {"message_start", "content_block_delta", "message_delta", "message_stop"} <= set(kinds)


async def test_a_tool_is_called_and_its_result_answered(client: anthropic.AsyncAnthropic):
    message, _ = await both(client, tools=TOOLS, tool_choice={"type": "any"})
    block = message.content[0]
    assert (block.type, message.stop_reason) == ("tool_use", "tool_use")
    assert block.type == "tool_use"
    assert block.input == {"city": "text"}
    result = {"type": "tool_result", "tool_use_id": block.id, "content": "rain"}
    turns = [
        HI,
        {"role": "assistant", "content": [block.model_dump(exclude_none=True)]},
        {"role": "user", "content": [result, text("Well?")]},
    ]
    after, _ = await both(client, messages=turns, tools=TOOLS)
    assert after.content[0].type == "text"
    assert "You said: Well?" in after.content[0].text


async def test_a_schema_is_followed(client: anthropic.AsyncAnthropic):
    form = {"type": "json_schema", "schema": WEATHER}
    message, _ = await both(client, output_config={"format": form})
    assert message.content[0].type == "text"
    assert message.content[0].text == '{"city":"text"}'


async def test_it_thinks_where_it_is_asked_to(client: anthropic.AsyncAnthropic):
    message, _ = await both(client, thinking={"type": "adaptive"})
    first = message.content[0]
    assert first.type == "thinking"
    assert first.thinking
    assert first.signature
    details = message.usage.output_tokens_details
    assert details is not None
    assert message.usage.output_tokens == 20 + details.thinking_tokens


@pytest.mark.parametrize(
    ("members", "reason", "sequence"),
    [
        ({"max_tokens": 3}, "max_tokens", None),
        ({"stop_sequences": ["zzz", " said"]}, "stop_sequence", " said"),
    ],
)
async def test_stops(
    client: anthropic.AsyncAnthropic, members: Any, reason: str, sequence: str | None
):
    message, _ = await both(client, **members)
    assert (message.stop_reason, message.stop_sequence) == (reason, sequence)
    assert message.content[0].type == "text"
    assert " said" not in message.content[0].text


# What is asked, and the tokens: new ones, written to the cache, read from it.
SIZES: list[tuple[dict[str, Any], tuple[int, int, int]]] = [
    ({"messages": [{"role": "user", "content": "x" * 40}]}, (10, 0, 0)),
    ({"system": "x" * 20, "messages": [{"role": "user", "content": "x" * 20}]}, (10, 0, 0)),
    (
        {
            "system": [text("x" * 20, cache_control=MARK)],
            "messages": [{"role": "user", "content": "x" * 20}],
        },
        (5, 5, 0),
    ),
    ({"cache_control": MARK, "messages": [{"role": "user", "content": "x" * 40}]}, (0, 10, 0)),
    (
        {
            "system": [text("x" * 20, cache_control=MARK)],
            "messages": [
                HI,
                {"role": "assistant", "content": "x" * 15},
                {"role": "user", "content": [text("x" * 20, cache_control=MARK)]},
            ],
        },
        (0, 10, 5),
    ),
    ({"messages": [{"role": "user", "content": [{"type": "image", "source": PNG}]}]}, (85, 0, 0)),
    (
        {
            "messages": [
                {"role": "user", "content": "x" * 40},
                {"role": "assistant", "content": [USE]},
                {
                    "role": "user",
                    "content": [{**RESULT, "content": [{"type": "image", "source": PNG}]}],
                },
            ]
        },
        (95, 0, 0),
    ),
]


@pytest.mark.parametrize(("members", "counts"), SIZES)
async def test_usage(
    client: anthropic.AsyncAnthropic, members: dict[str, Any], counts: tuple[int, int, int]
):
    usage = (await both(client, **members))[0].usage
    assert counts == (
        usage.input_tokens,
        usage.cache_creation_input_tokens,
        usage.cache_read_input_tokens,
    )
    counted = await client.messages.count_tokens(model="claude", **members)
    assert counted.input_tokens == sum(counts)


def turn(role: str, *blocks: Any) -> Any:
    return {"role": role, "content": list(blocks)}


# What is refused, and what is said of it.
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"messages": []}, "at least one message"),
    ({"messages": [turn("assistant", text("a"))]}, "first message must use"),
    ({"messages": [turn("user", text(" "))]}, "messages.0.content.0.text: text content blocks"),
    ({"messages": [turn("user")]}, "messages.0: all messages must have non-empty content"),
    ({"messages": [HI, turn("assistant"), HI]}, "messages.1: all messages must have non-empty"),
    ({"messages": [HI, {"role": "tool", "content": "a"}]}, "messages.1.role"),
    ({"system": [text("")]}, "system.0.text"),
    ({"messages": [HI, turn("assistant", USE)]}, "without `tool_result` blocks"),
    ({"messages": [HI, turn("assistant", USE), HI]}, "without `tool_result` blocks"),
    ({"messages": [turn("user", RESULT)]}, "unexpected `tool_use_id`"),
    (
        {"messages": [HI, turn("assistant", USE), turn("user", text("a"), RESULT)]},
        "tool_result blocks must come first",
    ),
    ({"messages": [HI, turn("assistant", {**USE, "id": "a:0"})]}, "should match pattern"),
    ({"extra_body": {"temperature": 1.5}}, "temperature"),
    ({"extra_body": {"frequency_penalty": 1}}, "frequency_penalty"),
    ({"extra_body": {"max_tokens": 0}}, "max_tokens"),
    ({"extra_headers": {"anthropic-version": anthropic.omit}}, "anthropic-version"),
]


@pytest.mark.parametrize(("members", "said"), REFUSED, ids=[row[1] for row in REFUSED])
async def test_what_is_refused(
    client: anthropic.AsyncAnthropic, members: dict[str, Any], said: str
):
    with pytest.raises(anthropic.BadRequestError, match=said.replace("(", "\\(")) as refused:
        await client.messages.create(**{**ASKED, **members})
    body: Any = refused.value.body
    assert (body["type"], body["error"]["type"]) == ("error", "invalid_request_error")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (402, "billing_error"),
        (403, "permission_error"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (529, "overloaded_error"),
    ],
)
async def test_errors_by_status(
    sim: SimulatedProviders, client: anthropic.AsyncAnthropic, status: int, kind: str
):
    sim.fault("anthropic", Fault(kind=FaultKind.STATUS, status=status))
    with pytest.raises(anthropic.APIStatusError) as failed:
        await client.messages.create(**ASKED)
    body: Any = failed.value.body
    assert (failed.value.status_code, body["error"]["type"]) == (status, kind)
    assert body["request_id"] == failed.value.request_id


async def test_a_wrong_key(client: anthropic.AsyncAnthropic):
    with pytest.raises(anthropic.AuthenticationError):
        await client.with_options(api_key="wrong").messages.create(**ASKED)


@pytest.mark.parametrize("chunks", [0, 1, 3, 6])
async def test_an_error_inside_a_stream(
    sim: SimulatedProviders, client: anthropic.AsyncAnthropic, chunks: int
):
    sim.fault(
        "anthropic", Fault(kind=FaultKind.STREAM_ERROR, after_chunks=chunks, message="Overloaded")
    )
    with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
        async with client.messages.stream(**ASKED) as stream:
            await stream.get_final_message()


async def test_a_stream_that_is_cut(sim: SimulatedProviders, client: anthropic.AsyncAnthropic):
    sim.fault("anthropic", Fault(kind=FaultKind.CUT, after_chunks=4))
    with pytest.raises(httpx2.TransportError):
        async with client.messages.stream(**ASKED) as stream:
            await stream.get_final_message()
