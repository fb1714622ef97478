"""The stream to the operator by itself: who is trusted, where the leader is, what is said."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from prism.serve.operator_stream import Operator, OperatorStream, resolve

from . import config
from .certificates import Authority
from .running import PATIENCE_S, free_port
from .standin import StandIn, encoded
from .wire import wire_to

URLS = dict.fromkeys(config.PROVIDERS, "http://127.0.0.1:1/v1")
FIRST = encoded([config.table(URLS)])
SECOND = encoded([config.table(URLS, defaultMode="eco")])


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def server_tls(authority: Authority, tmp_path: Path) -> Path:
    return authority.issue(tmp_path / "operator", "prism-operator")


@pytest.fixture
def tls(authority: Authority, tmp_path: Path) -> Path:
    return authority.issue(tmp_path / "extproc", "prism-extproc")


@pytest.fixture
def stand_in(server_tls: Path) -> Iterator[Callable[..., StandIn]]:
    """Makes stand-ins of the operator: ``stand_in(tls=FOLDER, port=PORT, standby=True)``."""
    made: list[StandIn] = []

    def make(tls: Path = server_tls, **options: Any) -> StandIn:
        made.append(StandIn(tls, **options))
        return made[-1]

    yield make
    for one in made:
        one.stop()


@asynccontextmanager
async def stream_to(
    *ports: int, tls: Path, live: str | None = None
) -> AsyncIterator[OperatorStream]:
    """A running stream."""
    endpoints = [("127.0.0.1", port) for port in ports]
    stream = OperatorStream(Operator(endpoints, tls, "gateway-1"), lambda: live)
    running = asyncio.create_task(stream.run())
    try:
        yield stream
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def next_version(stream: OperatorStream) -> str:
    arrived = await asyncio.wait_for(stream.next(), PATIENCE_S)
    version: str = arrived.snapshot.version
    return version


async def eventually(condition: Callable[[], Any], what: str) -> None:
    """Wait for what only shows by itself."""
    end = asyncio.get_running_loop().time() + PATIENCE_S
    while not condition():
        assert asyncio.get_running_loop().time() < end, f"waited for {what}"
        await asyncio.sleep(0.01)


def reason(stream: OperatorStream) -> str:
    text: str = stream.link.to_json()["operator"]["reason"] or ""
    return text


def connected(stream: OperatorStream) -> bool:
    return bool(stream.link.to_json()["operator"]["connected"])


async def test_it_says_who_it_is_and_what_is_live(
    stand_in: Callable[..., StandIn], tls: Path
) -> None:
    operator = stand_in()
    version = operator.offer(FIRST)
    async with stream_to(operator.port, tls=tls, live="v0") as stream:
        arrived = await asyncio.wait_for(stream.next(), PATIENCE_S)
        assert arrived.snapshot.version == version
        await stream.answer(arrived, "")
        await eventually(lambda: operator.answers(version) == [""], "the ACK")
        assert connected(stream)
    hello, ack = operator.messages
    assert (hello.replica, hello.live_version, hello.answers_version) == ("gateway-1", "v0", "")
    assert (ack.replica, ack.live_version, ack.answers_version) == ("", "v0", version)


async def test_only_the_newest_snapshot_is_kept(
    stand_in: Callable[..., StandIn], tls: Path
) -> None:
    operator = stand_in()
    operator.offer(FIRST)
    async with stream_to(operator.port, tls=tls) as stream:
        await next_version(stream)
        for number in range(20):
            last = operator.offer(encoded([config.table(URLS, autoNames=[f"auto-{number}"])]))
        while (version := await next_version(stream)) != last:
            pass
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(stream.next(), 0.2)
        assert version == last


async def test_a_leader_that_has_nothing_to_say_is_connected(
    stand_in: Callable[..., StandIn], tls: Path
) -> None:
    operator = stand_in()
    async with stream_to(operator.port, tls=tls) as stream:
        await eventually(lambda: connected(stream), "the connection")
        version = operator.offer(FIRST)
        assert await next_version(stream) == version


async def test_the_leader_is_found_behind_a_standby_and_a_dead_address(
    stand_in: Callable[..., StandIn], tls: Path
) -> None:
    standby, leader = stand_in(standby=True), stand_in()
    version = leader.offer(FIRST)
    async with stream_to(free_port(), standby.port, leader.port, tls=tls) as stream:
        assert await next_version(stream) == version
        # The leadership moves.
        second = standby.offer(SECOND)
        standby.standby = False
        leader.stop()
        assert await next_version(stream) == second


async def test_an_operator_that_comes_back_is_found(
    stand_in: Callable[..., StandIn], tls: Path
) -> None:
    operator = stand_in()
    operator.offer(FIRST)
    async with stream_to(operator.port, tls=tls) as stream:
        first = await asyncio.wait_for(stream.next(), PATIENCE_S)
        operator.stop()
        await eventually(lambda: not connected(stream), "the loss to be noticed")
        assert reason(stream)
        await stream.answer(first, "")  # to nobody: no error
        again = stand_in(port=operator.port)
        version = again.offer(SECOND)
        assert await next_version(stream) == version


async def test_an_operator_that_falls_silent_is_left_for_another(
    stand_in: Callable[..., StandIn], tls: Path
) -> None:
    """No goodbye comes from a machine that vanished: only a sign of life that is missing tells.
    It is looked for every 5 seconds and waited for 3; gRPC by itself would wait for a minute."""
    silent, other = stand_in(), stand_in(standby=True)
    first = silent.offer(FIRST)
    async with (
        wire_to(silent.port) as wire,
        stream_to(wire.port, other.port, tls=tls) as stream,
    ):
        assert await next_version(stream) == first
        second = other.offer(SECOND)
        other.standby = False
        wire.silence()
        arrived = await asyncio.wait_for(stream.next(), 40)
        assert arrived.snapshot.version == second


async def test_a_server_with_another_name_is_refused(
    stand_in: Callable[..., StandIn], authority: Authority, tls: Path, tmp_path: Path
) -> None:
    other = stand_in(tls=authority.issue(tmp_path / "other", "prism-extproc"))
    other.offer(FIRST)
    async with stream_to(other.port, tls=tls) as stream:
        await eventually(lambda: "Hostname" in reason(stream), "the refusal")
    assert other.messages == []


async def test_a_server_of_another_authority_is_refused(
    stand_in: Callable[..., StandIn], tls: Path, tmp_path: Path
) -> None:
    stranger = stand_in(tls=Authority().issue(tmp_path / "stranger", "prism-operator"))
    stranger.offer(FIRST)
    async with stream_to(stranger.port, tls=tls) as stream:
        await eventually(lambda: "handshake failed" in reason(stream), "the refusal")
    assert stranger.messages == []


async def test_new_certificates_are_used_without_a_restart(
    stand_in: Callable[..., StandIn], authority: Authority, tls: Path
) -> None:
    operator = stand_in()
    version = operator.offer(FIRST)
    async with stream_to(operator.port, tls=tls) as stream:
        assert await next_version(stream) == version
        authority.issue(tls, "prism-extproc")
        await eventually(lambda: len(operator.hellos) > 1, "a connection with the new certificate")
        assert await next_version(stream) == version


async def test_a_new_authority_is_trusted_without_a_restart(
    stand_in: Callable[..., StandIn], tls: Path, tmp_path: Path
) -> None:
    renewed = Authority()
    operator = stand_in(tls=renewed.issue(tmp_path / "renewed", "prism-operator"))
    version = operator.offer(FIRST)
    async with stream_to(operator.port, tls=tls) as stream:
        await eventually(lambda: reason(stream).startswith("ipv4:"), "the refusal")
        renewed.issue(tls, "prism-extproc")
        assert await next_version(stream) == version


async def test_missing_certificates_are_named_and_looked_for_again(
    stand_in: Callable[..., StandIn], authority: Authority, tmp_path: Path
) -> None:
    operator = stand_in()
    version = operator.offer(FIRST)
    (tmp_path / "empty").mkdir()
    async with stream_to(operator.port, tls=tmp_path / "empty") as stream:
        missing = str(tmp_path / "empty" / "tls.crt")
        await eventually(lambda: missing in reason(stream), "the reason")
        authority.issue(tmp_path / "empty", "prism-extproc")
        assert await next_version(stream) == version


async def test_a_name_without_addresses_is_a_reason(tls: Path) -> None:
    endpoints = [("nowhere.invalid", 1), ("127.0.0.1", 2), ("::1", 3), ("127.0.0.1", 2)]
    addresses, reasons = await resolve(endpoints)
    assert addresses == ["ipv4:127.0.0.1:2", "ipv6:[::1]:3"]
    assert len(reasons) == 1
    assert reasons[0].startswith("nowhere.invalid can't be resolved: ")
