"""The event loop takes what gRPC's polling thread has written together, and leaves others alone."""

from __future__ import annotations

import asyncio
import functools
import socket
from collections.abc import Callable, Iterator

import grpc
import pytest
import uvloop

from prism.serve.loop import Loop

CALLS = 200


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


class Poller:
    """Reads as grpc.aio does: a byte for each time it is called."""

    def __init__(self, ours: socket.socket, read: asyncio.Event) -> None:
        self.ours, self.read, self.got = ours, read, b""

    def _handle_events(self, _: object) -> None:
        self.got += self.ours.recv(1)
        self.read.set()

    def other_name(self, _: object) -> None:
        self._handle_events(_)


async def read_by(
    pair: tuple[socket.socket, socket.socket], reader: Callable[[Poller], Callable[..., None]]
) -> tuple[bytes, bytes]:
    """What is read of five bytes in one turn, and what is left then."""
    ours, theirs = pair
    poller, loop = Poller(ours, asyncio.Event()), asyncio.get_running_loop()
    theirs.send(b"12345")
    loop.add_reader(ours, functools.partial(reader(poller), loop))
    await asyncio.wait_for(poller.read.wait(), 30)
    loop.remove_reader(ours)
    theirs.send(b"!")
    return poller.got, ours.recv(100)


def test_all_that_was_written_is_one_turn_of_grpcs_reader(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    got, left = uvloop.run(read_by(pair, lambda p: p._handle_events), loop_factory=Loop)
    assert (got, left) == (b"5", b"!")


def test_another_reader_reads_what_it_will(pair: tuple[socket.socket, socket.socket]) -> None:
    got, left = uvloop.run(read_by(pair, lambda p: p.other_name), loop_factory=Loop)
    assert got == b"12345"[: len(got)]
    assert left == b"12345"[len(got) :] + b"!"


def test_grpc_answers_every_call() -> None:
    async def echo(message: bytes, _: object) -> bytes:
        await asyncio.sleep(0)
        return message

    async def asked() -> list[bytes]:
        server = grpc.aio.server()
        handlers = {"Echo": grpc.unary_unary_rpc_method_handler(echo)}
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("test", handlers)])
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            call = channel.unary_unary("/test/Echo")
            found = await asyncio.gather(*(call(b"%d" % n) for n in range(CALLS)))
        await server.stop(None)
        return found

    found = uvloop.run(asyncio.wait_for(asked(), 60), loop_factory=Loop)
    assert found == [b"%d" % n for n in range(CALLS)]
