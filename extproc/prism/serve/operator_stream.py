"""The stream to the operator's leader: kept open, found again when it moves, newest only."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from prism.config.v1.snapshot_pb2 import Snapshot
from prism.serve.link import Link
from prism.serve.operator_tls import SERVER_NAME, Identity, NoIdentity, read_identity
from prism.serve.watch import changes
from prism.wire import config_service
from prism.wire.snapshot import LARGEST_SNAPSHOT

log = logging.getLogger(__name__)

CONNECT_S = 3.0
"""Seconds that one address may take until it is connected."""
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 1.0
"""Pauses between rounds over all addresses double from the first to the longest."""

STEADY_S = 5.0
"""A connection that held this long is missed: look for the operator at once."""
SILENCE_S = 0.5
"""Seconds after which an operator that says nothing counts as the leader."""

_OPTIONS = (
    ("grpc.ssl_target_name_override", SERVER_NAME),
    # A machine that vanished sends no goodbye: ask for a sign of life while nothing is sent.
    ("grpc.keepalive_time_ms", 5000),
    ("grpc.keepalive_timeout_ms", 3000),
    ("grpc.http2.ping_timeout_ms", 3000),  # a minute by default, and it is the one that counts
    ("grpc.http2.max_pings_without_data", 0),
    # Each connection reads the certificates anew: none may be shared with another channel.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
    ("grpc.enable_retries", 0),
    ("grpc.max_receive_message_length", LARGEST_SNAPSHOT),
)


@dataclass(frozen=True, slots=True)
class Operator:
    """Hosts and ports of the operator, the folder with this replica's identity, its name.

    A host may have several addresses: each is one that the leader may be at.
    """

    endpoints: Sequence[tuple[str, int]]
    tls: Path
    replica: str


@dataclass(frozen=True, slots=True, eq=False)
class Arrived:
    """A snapshot and the call that brought it, which takes the answer."""

    snapshot: Snapshot
    call: Any


class OperatorStream:
    """Holds the newest snapshot that came. ``live`` is the version that is live here."""

    def __init__(self, operator: Operator, live: Callable[[], str | None]) -> None:
        self._operator = operator
        self._live = live
        self._newest: Arrived | None = None
        self._news = asyncio.Event()
        self._call: Any = None
        self._writing = asyncio.Lock()
        self._session: asyncio.Task[str] | None = None
        self.link = Link(operator.replica)

    async def next(self) -> Arrived:
        """The newest snapshot, once there is one that was not returned before."""
        await self._news.wait()
        self._news.clear()
        assert self._newest is not None  # noqa: S101 - it is set before the event
        return self._newest

    async def answer(self, arrived: Arrived, refusal: str) -> None:
        """Tell the operator. Where that call is over nothing is sent: the next one begins
        with the version that is live."""
        version = arrived.snapshot.version
        message = config_service.answer(version, self._live() or "", refusal)
        async with self._writing:
            if arrived.call is self._call:
                with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
                    await arrived.call.write(message)

    async def run(self) -> None:
        """Keep a stream open until cancelled."""
        renewing = asyncio.create_task(self._renew())
        pause = FIRST_PAUSE_S
        try:
            while True:
                if await self._round():
                    pause = FIRST_PAUSE_S
                # Replicas must not come back all at once.
                await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311
                pause = min(pause * 2, LONGEST_PAUSE_S)
        finally:
            tasks = [task for task in (renewing, self._session) if task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _round(self) -> bool:
        """Try each address once; whether one of them held, and so is worth trying again."""
        addresses, reasons = await resolve(self._operator.endpoints)
        held = False
        for address in addresses:
            began = asyncio.get_running_loop().time()
            self._session = asyncio.create_task(self._connection(address))
            await asyncio.wait({self._session})
            self._call = None
            if self._session.cancelled():
                return True  # the certificates are new: connect with them at once
            reasons.append(f"{address}: {self._session.result()}")
            if held := asyncio.get_running_loop().time() - began > STEADY_S:
                break
        self.link.down("; ".join(reasons))
        return held

    async def _connection(self, address: str) -> str:
        """One connection for as long as it holds; returns why it ended."""
        try:
            credentials = read_identity(self._operator.tls).credentials()
            async with grpc.aio.secure_channel(address, credentials, _OPTIONS) as channel:
                await asyncio.wait_for(_connected(channel), CONNECT_S)
                return await self._talk(address, channel)
        except TimeoutError:
            return f"no connection within {CONNECT_S:g} s"
        except grpc.aio.AioRpcError as error:
            return f"{error.code().name} {error.details()}"
        except (NoIdentity, DecodeError, grpc.aio.BaseError) as error:
            return str(error)

    async def _talk(self, address: str, channel: Any) -> str:
        call = channel.stream_stream(config_service.METHOD)()
        hello = config_service.hello(self._operator.replica, self._live() or "")
        try:
            await call.write(hello)
        except asyncio.InvalidStateError:
            return f"{(await call.code()).name} {await call.details()}"
        self._call = call
        reading = asyncio.ensure_future(call.read())
        # A standby says so at once; a leader may have nothing to say for long.
        await asyncio.wait({reading}, timeout=SILENCE_S)
        if not reading.done():
            self.link.up(address)
        while (data := await reading) is not grpc.aio.EOF:
            self.link.up(address)
            self._newest = Arrived(config_service.offered(data), call)
            self._news.set()
            reading = asyncio.ensure_future(call.read())
        return "the operator ended the stream"

    async def _renew(self) -> None:
        """Connect anew whenever the certificates have changed."""
        used = _identity(self._operator.tls)
        try:
            async for _ in changes(self._operator.tls):
                if (new := _identity(self._operator.tls)) != used:
                    used = new
                    log.info("the certificates have changed: connecting anew")
                    if self._session is not None:
                        self._session.cancel()
        except (OSError, RuntimeError) as error:  # no right to watch, or no watches left
            log.error("new certificates are used from the next connection on only: %s", error)


async def resolve(endpoints: Sequence[tuple[str, int]]) -> tuple[list[str], list[str]]:
    """Every address of the endpoints, as gRPC writes them, and why some have none."""
    addresses: list[str] = []
    reasons: list[str] = []
    for host, port in endpoints:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(
                host, port, type=socket.SOCK_STREAM
            )
        except OSError as error:
            reasons.append(f"{host} can't be resolved: {error.strerror}")
            continue
        for family, _, _, _, (address, *_) in found:
            v6 = family == socket.AF_INET6
            addresses.append(f"ipv6:[{address}]:{port}" if v6 else f"ipv4:{address}:{port}")
    return list(dict.fromkeys(addresses)), reasons


async def _connected(channel: Any) -> None:
    """Wait until a channel is connected, or has failed: then its first call says why."""
    state = channel.get_state(try_to_connect=True)
    while state in (grpc.ChannelConnectivity.IDLE, grpc.ChannelConnectivity.CONNECTING):
        await channel.wait_for_state_change(state)
        state = channel.get_state()


def _identity(folder: Path) -> Identity | None:
    try:
        return read_identity(folder)
    except NoIdentity:
        return None
