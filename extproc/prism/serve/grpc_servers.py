"""Prism's gRPC: its services, and a server with all of them on each of Envoy's sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grpc

from prism.envoy.sockets import sockets
from prism.serve.ads import Ads
from prism.serve.handler import ExtProc
from prism.serve.outcomes import Outcomes
from prism.serve.processor import Processor
from prism.wire import attempts_log, gateway_log, xds

LARGEST_MESSAGE = 64 * 1024 * 1024
"""Bytes of one gRPC message: the largest body that Envoy may be told to accept, and more."""
_GRACE_S = 5.0
"""How long requests under way may take once the servers stop."""


def services(processor: Processor, ads: Ads, outcomes: Outcomes) -> list[grpc.GenericRpcHandler]:
    """The ext_proc service, ADS, and those that take Envoy's logs."""
    # Answers are encoded where they are made, so no serialiser stands in between.
    methods: dict[str, dict[str, Any]] = {
        xds.SERVICE: {
            xds.METHOD: grpc.stream_stream_rpc_method_handler(
                ads.stream, request_deserializer=xds.decode
            )
        },
        attempts_log.SERVICE: {
            attempts_log.METHOD: grpc.stream_unary_rpc_method_handler(
                outcomes.attempts, request_deserializer=attempts_log.decode
            )
        },
        gateway_log.SERVICE: {
            gateway_log.METHOD: grpc.unary_unary_rpc_method_handler(
                outcomes.requests, request_deserializer=gateway_log.decode
            )
        },
    }
    named = (grpc.method_handlers_generic_handler(*service) for service in methods.items())
    return [ExtProc(processor), *named]


def servers_on(socket: Path, handlers: Sequence[grpc.GenericRpcHandler]) -> list[Any]:
    """A server for each of Envoy's sockets; none listens yet."""
    socket.parent.mkdir(parents=True, exist_ok=True)
    found = []
    for path in sockets(str(socket)):
        Path(path).unlink(missing_ok=True)
        server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", LARGEST_MESSAGE),
                ("grpc.max_send_message_length", LARGEST_MESSAGE),
            ]
        )
        server.add_generic_rpc_handlers(handlers)
        server.add_insecure_port(f"unix:{path}")
        found.append(server)
    return found


async def stop_servers(servers: Sequence[Any]) -> None:
    """Take no more requests, and wait for those under way."""
    await asyncio.gather(*(server.stop(grace=_GRACE_S) for server in servers))
