"""TLS in front of the simulated providers, well or broken in one way each.

Each front has a port of its own on 127.0.0.1. What it decrypts goes on to the providers unread.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

import trustme

Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
_PIECE = 64 * 1024
_PATIENCE_S = 60.0


class Front(StrEnum):
    """What a client meets that connects with TLS."""

    WELL = "well"
    """A certificate that it can check."""
    UNKNOWN = "unknown"
    """One of an authority that nobody trusts."""
    OTHER = "other"
    """One for another name."""
    PLAIN = "plain"
    """HTTP without TLS."""
    RESET = "reset"
    """A connection that is reset in the handshake."""
    SILENT = "silent"
    """Nothing: the handshake is never answered."""


@contextmanager
def fronts(port: int, trusted: Path) -> Iterator[Mapping[Front, int]]:
    """Fronts of the providers on ``port``; gives their ports. ``trusted`` gets the certificate
    of the authority that a client is to trust."""
    known, nobody = trustme.CA(), trustme.CA()
    known.cert_pem.write_to_path(trusted)
    certificates = {
        Front.WELL: known.issue_cert("127.0.0.1"),
        Front.UNKNOWN: nobody.issue_cert("127.0.0.1"),
        Front.OTHER: known.issue_cert("elsewhere.example"),
    }
    handles = {Front.RESET: _reset, Front.SILENT: _silent}
    loop = asyncio.new_event_loop()

    async def start() -> dict[Front, int]:
        ports = {}
        for front in Front:
            context = None
            if (certificate := certificates.get(front)) is not None:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                certificate.configure_cert(context)
            handle = handles.get(front, _to(port))
            server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context)
            ports[front] = server.sockets[0].getsockname()[1]
        return ports

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield asyncio.run_coroutine_threadsafe(start(), loop).result(_PATIENCE_S)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_PATIENCE_S)


def _to(port: int) -> Handle:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection("127.0.0.1", port)
        ways = (_copy(reader, there[1]), _copy(there[0], writer))
        await asyncio.gather(*ways, return_exceptions=True)

    return connected


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while piece := await reader.read(_PIECE):
            writer.write(piece)
            await writer.drain()
    finally:
        writer.close()


async def _reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)  # the client's first words have come
    taken: socket.socket = writer.get_extra_info("socket")
    # Linger for no time at all: closing then sends RST.
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(_PIECE):
        pass
    writer.close()
