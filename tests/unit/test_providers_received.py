"""What the simulated providers record, and their control endpoints."""

from __future__ import annotations

import asyncio
import base64
import gzip
import io
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from prism.providers import Fault, FaultKind, ProviderSpec, SimulatedProviders
from prism.providers.received import Journal, ReceivedRequest

# Odd on purpose: spaces, a number that no float holds, an escape that needs none.
BODY = (
    b'{ "model":"m",\n "n": 12345678901234567890123, '
    b'"messages":[{"role":"user","content":"\\u00e9"}]}'
)


@pytest.fixture
async def sim() -> AsyncIterator[SimulatedProviders]:
    async with SimulatedProviders([ProviderSpec("a"), ProviderSpec("b")]) as sim:
        yield sim


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def post(
    session: aiohttp.ClientSession, url: str, data: Any, **headers: str
) -> tuple[int, bytes]:
    async with session.post(url, data=data, headers=headers) as response:
        return response.status, await response.read()


async def test_requests_are_recorded_byte_for_byte(
    sim: SimulatedProviders, session: aiohttp.ClientSession
):
    url = sim.url("a") + "/chat/completions?api-version=1"
    assert (await post(session, url, BODY, **{"X-Odd-Case": "One"}))[0] == 200
    [request] = sim.requests
    assert request.body == BODY
    assert (request.provider, request.method, request.model) == ("a", "POST", "m")
    assert request.path == "/a/v1/chat/completions?api-version=1"
    assert ("X-Odd-Case", "One") in request.headers
    assert request.header("x-odd-case") == "One"
    assert request.finished_at is not None
    assert request.started_at < request.finished_at
    assert not request.cancelled


async def test_compressed_bodies_are_understood_and_kept(
    sim: SimulatedProviders, session: aiohttp.ClientSession
):
    packed = gzip.compress(BODY)
    url = sim.url("a") + "/chat/completions"
    assert (await post(session, url, packed, **{"Content-Encoding": "gzip"}))[0] == 200
    assert sim.requests[0].body == packed
    assert (await post(session, url, BODY, **{"Content-Encoding": "gzip"}))[0] == 400
    assert (await post(session, url, packed, **{"Content-Encoding": "br"}))[0] == 415


async def test_chunked_and_large_bodies(sim: SimulatedProviders, session: aiohttp.ClientSession):
    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(BODY), 7):
            yield BODY[at : at + 7]

    url = sim.url("a") + "/chat/completions"
    assert (await post(session, url, pieces()))[0] == 200
    large = BODY.replace(b"\\u00e9", b"x" * 3_000_000)
    assert (await post(session, url, io.BytesIO(large), Expect="100-continue"))[0] == 200
    assert [request.body for request in sim.requests] == [BODY, large]


async def test_refused_requests_are_recorded_too(
    sim: SimulatedProviders, session: aiohttp.ClientSession
):
    await post(session, sim.url("a") + "/nowhere", b"\xff")
    assert (sim.requests[0].body, sim.requests[0].status) == (b"\xff", 404)


async def test_a_client_that_leaves_mid_stream_is_seen(
    sim: SimulatedProviders, session: aiohttp.ClientSession
):
    sim.fault("a", Fault(kind=FaultKind.SLOW, between_ms=50))
    url = sim.url("a") + "/chat/completions"
    body = BODY.replace(b"{ ", b'{ "stream": true, ')
    async with session.post(url, data=body) as response:
        await response.content.readline()
        response.close()
    await sim.until(lambda: sim.requests[0].finished_at is not None)
    assert sim.requests[0].cancelled
    assert sim.requests[0].status == 200


async def test_reset_forgets_requests_and_faults(
    sim: SimulatedProviders, session: aiohttp.ClientSession
):
    sim.fault("a", Fault(kind=FaultKind.STATUS))
    await post(session, sim.url("a") + "/chat/completions", BODY)
    sim.reset()
    assert sim.requests == []
    assert (await post(session, sim.url("a") + "/chat/completions", BODY))[0] == 200


async def test_waiting_gives_up(sim: SimulatedProviders):
    with pytest.raises(TimeoutError):
        await sim.until(lambda: False, timeout_s=0.01)


async def test_closing_ends_a_hanging_request(session: aiohttp.ClientSession):
    async with SimulatedProviders([ProviderSpec("a")]) as sim:
        sim.fault("a", Fault(kind=FaultKind.HANG))
        url = sim.url("a") + "/chat/completions"
        asking = asyncio.create_task(post(session, url, BODY))
        await sim.until(lambda: len(sim.requests) == 1)
    with pytest.raises(aiohttp.ClientError):
        await asking
    assert not sim.requests[0].cancelled


def test_the_journal_keeps_the_latest():
    journal = Journal()
    for number in range(1005):
        journal.add(ReceivedRequest("a", "GET", str(number), (), b"", None, 0.0))
    assert [journal.requests[at].path for at in (0, -1)] == ["5", "1004"]


async def test_control_switches_faults(sim: SimulatedProviders, session: aiohttp.ClientSession):
    faults, url = f"{sim.origin}/_control/faults", sim.url("a") + "/chat/completions"
    async with session.put(f"{faults}/a", json={"kind": "status", "status": 502}) as response:
        assert response.status == 200
    await session.put(f"{faults}/b", json={"kind": "hang", "times": 2})
    assert (await post(session, url, BODY))[0] == 502
    async with session.get(faults) as response:
        on = await response.json()
    assert (on["a"][0]["status"], on["b"][0]["times"]) == (502, 2)
    async with session.delete(f"{faults}/a") as response:
        assert response.status == 204
    assert (await post(session, url, BODY))[0] == 200
    await session.delete(faults)
    async with session.get(faults) as response:
        assert await response.json() == {}


async def test_control_shows_and_forgets_requests(
    sim: SimulatedProviders, session: aiohttp.ClientSession
):
    control = f"{sim.origin}/_control/requests"
    for body in (b"first", BODY, b"\xff"):
        await post(session, sim.url("a") + "/chat/completions", body)
    async with session.get(control, params={"limit": 2}) as response:
        shown = (await response.json())["requests"]
    assert shown[0]["body"] == BODY.decode()
    assert shown[0]["model"] == "m"
    assert base64.b64decode(shown[1]["bodyBase64"]) == b"\xff"
    async with session.delete(control) as response:
        assert response.status == 204
    assert sim.requests == []


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "said"),
    [
        ("PUT", "faults/a", b'{"kind": "explode"}', 400, "explode"),
        ("PUT", "faults/nobody", b'{"kind": "hang"}', 404, "nobody"),
        ("GET", "requests?limit=some", b"", 400, "some"),
        ("POST", "faults", b"", 404, "no POST /_control/faults"),
        ("GET", "nothing", b"", 404, "/_control/nothing"),
    ],
)
async def test_control_names_what_is_wrong(
    sim: SimulatedProviders,
    session: aiohttp.ClientSession,
    method: str,
    path: str,
    body: bytes,
    status: int,
    said: str,
):
    async with session.request(method, f"{sim.origin}/_control/{path}", data=body) as response:
        assert response.status == status
        assert said in (await response.json())["error"]["message"]


async def test_control_explains_itself(sim: SimulatedProviders, session: aiohttp.ClientSession):
    async with session.get(f"{sim.origin}/_control/") as response:
        text = await response.text()
    assert all(kind in text for kind in FaultKind)
