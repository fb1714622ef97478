"""Each fault of the simulated providers, as clients meet it."""

from __future__ import annotations

import asyncio
import errno
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import openai
import pytest

from prism.providers import Fault, FaultKind, ModelTiming, ProviderSpec, SimulatedProviders
from prism.providers.fault import parse_fault

ASKED: Any = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}


@pytest.fixture
async def sim() -> AsyncIterator[SimulatedProviders]:
    async with SimulatedProviders([ProviderSpec("a"), ProviderSpec("b")], seed=7) as sim:
        yield sim


@pytest.fixture
async def client(sim: SimulatedProviders) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=sim.url("a"), api_key="k", max_retries=0) as client:
        yield client


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def status_of(
    session: aiohttp.ClientSession, sim: SimulatedProviders, provider: str = "a", model: str = "m"
) -> int:
    url = sim.url(provider) + "/chat/completions"
    async with session.post(url, json={**ASKED, "model": model}) as response:
        return response.status


async def test_status_with_retry_after(sim: SimulatedProviders, client: openai.AsyncOpenAI):
    sim.fault("a", Fault(kind=FaultKind.STATUS, status=429, retry_after=3))
    with pytest.raises(openai.RateLimitError) as caught:
        await client.chat.completions.create(**ASKED)
    assert caught.value.response.headers["retry-after"] == "3"
    assert caught.value.code == "rate_limit_exceeded"
    assert sim.requests[-1].status == 429
    assert sim.requests[-1].fault == "status"


async def test_delay_is_before_the_answer(sim: SimulatedProviders, client: openai.AsyncOpenAI):
    sim.fault("a", Fault(kind=FaultKind.DELAY, delay_ms=60))
    begin = time.monotonic()
    assert (await client.chat.completions.create(**ASKED)).choices
    assert time.monotonic() - begin >= 0.055


async def test_reset_is_a_reset(sim: SimulatedProviders, session: aiohttp.ClientSession):
    sim.fault("a", Fault(kind=FaultKind.RESET))
    with pytest.raises(aiohttp.ClientOSError) as caught:
        await status_of(session, sim)
    assert caught.value.errno == errno.ECONNRESET
    assert (sim.requests[-1].status, sim.requests[-1].cancelled) == (None, False)


async def test_cut_comes_after_its_chunks(sim: SimulatedProviders, client: openai.AsyncOpenAI):
    sim.fault("a", Fault(kind=FaultKind.CUT, after_chunks=4))
    stream = await client.chat.completions.create(**ASKED, stream=True)
    got: list[object] = []
    with pytest.raises(openai.APIConnectionError):
        got.extend([chunk async for chunk in _into(stream, got)])
    assert len(got) == 4


async def _into(stream: Any, got: list[object]) -> AsyncIterator[object]:
    async for chunk in stream:
        got.append(chunk)
        yield chunk


async def test_cut_of_a_plain_answer(sim: SimulatedProviders, session: aiohttp.ClientSession):
    sim.fault("a", Fault(kind=FaultKind.CUT))
    async with session.post(sim.url("a") + "/chat/completions", json=ASKED) as response:
        assert response.status == 200
        with pytest.raises(aiohttp.ClientError):
            await response.read()


@pytest.mark.parametrize("stream", [False, True])
async def test_slow_waits_between_chunks(
    sim: SimulatedProviders, session: aiohttp.ClientSession, stream: bool
):
    sim.fault("a", Fault(kind=FaultKind.SLOW, between_ms=10))
    begin = time.monotonic()
    body = {**ASKED, "stream": stream}
    async with session.post(sim.url("a") + "/chat/completions", json=body) as response:
        assert b"[a/" in (await response.read()).replace(b'"', b"")
    assert time.monotonic() - begin >= 0.05


async def test_error_inside_a_stream(sim: SimulatedProviders, client: openai.AsyncOpenAI):
    sim.fault("a", Fault(kind=FaultKind.STREAM_ERROR, after_chunks=2, message="broke"))
    stream = await client.chat.completions.create(**ASKED, stream=True)
    got: list[object] = []
    with pytest.raises(openai.APIError, match="broke"):
        got.extend([chunk async for chunk in _into(stream, got)])
    assert len(got) == 2
    with pytest.raises(openai.InternalServerError, match="broke"):
        await client.chat.completions.create(**ASKED)


@pytest.mark.parametrize("stream", [False, True])
async def test_garbage_is_no_json(
    sim: SimulatedProviders, session: aiohttp.ClientSession, stream: bool
):
    sim.fault("a", Fault(kind=FaultKind.GARBAGE))
    body = {**ASKED, "stream": stream}
    async with session.post(sim.url("a") + "/chat/completions", json=body) as response:
        assert response.status == 200
        data = await response.read()
    with pytest.raises(UnicodeDecodeError):
        data.decode()
    assert b"[DONE]" not in data


async def test_hang_ends_when_the_client_goes(
    sim: SimulatedProviders, session: aiohttp.ClientSession
):
    sim.fault("a", Fault(kind=FaultKind.HANG))
    asking = asyncio.create_task(status_of(session, sim))
    await sim.until(lambda: len(sim.requests) == 1)
    asking.cancel()
    await sim.until(lambda: sim.requests[0].finished_at is not None)
    assert sim.requests[0].cancelled
    assert sim.requests[0].status is None


async def test_a_fault_clears_after_its_times(
    sim: SimulatedProviders, session: aiohttp.ClientSession
):
    sim.fault("a", Fault(kind=FaultKind.STATUS, times=2))
    assert [await status_of(session, sim) for _ in range(3)] == [503, 503, 200]


async def test_faults_hold_for_their_provider_and_model(
    sim: SimulatedProviders, session: aiohttp.ClientSession
):
    sim.fault("a", Fault(kind=FaultKind.STATUS, status=500, model="bad"))
    sim.fault("a", Fault(kind=FaultKind.STATUS, status=502, model="worse"))
    models = ("bad", "worse", "good")
    assert [await status_of(session, sim, "a", model) for model in models] == [500, 502, 200]
    assert await status_of(session, sim, "b", "bad") == 200
    sim.clear_faults("a")
    assert await status_of(session, sim, "a", "bad") == 200


async def test_probability_is_a_share_of_requests(
    sim: SimulatedProviders, session: aiohttp.ClientSession
):
    sim.fault("a", Fault(kind=FaultKind.STATUS, probability=0.5))
    failed = sum([await status_of(session, sim) == 503 for _ in range(60)])
    assert 15 < failed < 45


async def test_unknown_provider_cannot_fail(sim: SimulatedProviders):
    with pytest.raises(KeyError):
        sim.fault("nobody", Fault(kind=FaultKind.HANG))


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (b'{"kind": "explode"}', "kind"),
        (b'{"kind": "status", "status": 42}', "status"),
        (b'{"kind": "status", "probability": 2}', "probability"),
        (b'{"kind": "status", "stauts": 500}', "stauts"),
        (b"{}", "kind"),
        (b"[]", "object"),
    ],
)
def test_a_wrong_fault_is_named(document: bytes, said: str):
    with pytest.raises(ValueError, match=said):
        parse_fault(document)


async def test_pace_follows_the_timing():
    timing = ModelTiming(time_to_first_token_ms=40, tokens_per_second=500)
    async with (
        SimulatedProviders([ProviderSpec("a", timing=timing)]) as sim,
        openai.AsyncOpenAI(base_url=sim.url("a"), api_key="k", max_retries=0) as client,
    ):
        begin = time.monotonic()
        await client.chat.completions.create(**ASKED)
        plain = time.monotonic() - begin
        begin = time.monotonic()
        stream = await client.chat.completions.create(**ASKED, stream=True)
        first = time.monotonic() - begin
        assert len([chunk async for chunk in stream]) > 20
        whole = time.monotonic() - begin
    # 20 tokens: 40 ms to the first, then 19 of 2 ms; timers may fire a little early.
    assert plain >= 0.075
    assert first >= 0.038
    assert whole >= 0.075
