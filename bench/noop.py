"""The baseline: an ext_proc in Python that does nothing but say "go on".

As good as it gets with grpc.aio: uvloop, C-backed messages, answers encoded once, a unix
socket. What Prism does beyond this is what Prism costs; what this does is what any ext_proc
in Python costs. Run as ``python noop.py SOCKET``.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import Any

import grpc
import uvloop
from envoy.service.ext_proc.v3.external_processor_pb2 import (
    BodyResponse,
    HeadersResponse,
    ProcessingRequest,
    ProcessingResponse,
)

_SERVICE = "envoy.service.ext_proc.v3.ExternalProcessor"
_LARGEST_MESSAGE = 64 * 1024 * 1024
_HEADERS = ProcessingResponse(request_headers=HeadersResponse()).SerializeToString()
_BODY = ProcessingResponse(request_body=BodyResponse()).SerializeToString()
_EOF = grpc.aio.EOF


async def process(_: object, context: Any) -> None:
    """One request: its headers, then its body."""
    message = await context.read()
    if message is _EOF:
        return
    await context.write(_HEADERS)
    if message.request_headers.end_of_stream:
        return
    if await context.read() is not _EOF:
        await context.write(_BODY)


async def serve(socket: str) -> None:
    """Serve until SIGTERM."""
    options = [
        ("grpc.max_receive_message_length", _LARGEST_MESSAGE),
        ("grpc.max_send_message_length", _LARGEST_MESSAGE),
    ]
    server = grpc.aio.server(options=options)
    handler = grpc.stream_stream_rpc_method_handler(
        process, request_deserializer=ProcessingRequest.FromString
    )
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler(_SERVICE, {"Process": handler})]
    )
    server.add_insecure_port(f"unix:{socket}")
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await server.start()
    await stop.wait()
    await server.stop(grace=1)


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1]))
