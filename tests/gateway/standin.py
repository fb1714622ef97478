"""Stands in for the operator: the real stream over real TLS, saying what a test tells it to."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc

from prism.config.v1.config_service_pb2 import SnapshotRequest, SnapshotResponse
from prism.config.v1.snapshot_pb2 import Snapshot
from prism.resources import Resource, read_document, version_of
from prism.wire import snapshot


def resources_of(documents: Sequence[dict[str, Any]]) -> list[Resource]:
    """Checked resources of documents as kubectl would take them."""
    found = []
    for document in documents:
        resource, problems = read_document(document)
        assert resource is not None, problems
        found.append(resource)
    return found


def encoded(documents: Sequence[dict[str, Any]]) -> bytes:
    """The snapshot of documents."""
    resources = resources_of(documents)
    return snapshot.encode(version_of(resources), resources)


class StandIn:
    """One operator at one address. ``standby`` has it refuse streams as a standby does."""

    def __init__(self, tls: Path, port: int = 0, *, standby: bool = False) -> None:
        self.standby = standby
        self.messages: list[SnapshotRequest] = []
        """Everything that replicas have said."""
        self._changed = threading.Condition()
        self._snapshot: Snapshot | None = None
        self._stopped = False
        credentials = grpc.ssl_server_credentials(
            [((tls / "tls.key").read_bytes(), (tls / "tls.crt").read_bytes())],
            (tls / "ca.crt").read_bytes(),
            require_client_auth=True,
        )
        self._server = grpc.server(ThreadPoolExecutor(16), options=[("grpc.so_reuseport", 0)])
        handler = grpc.stream_stream_rpc_method_handler(
            self._stream,
            request_deserializer=SnapshotRequest.FromString,
            response_serializer=SnapshotResponse.SerializeToString,
        )
        self._server.add_generic_rpc_handlers(
            [
                grpc.method_handlers_generic_handler(
                    "prism.config.v1.ConfigService", {"StreamSnapshots": handler}
                )
            ]
        )
        self.port = self._server.add_secure_port(f"127.0.0.1:{port}", credentials)
        self._server.start()

    @property
    def hellos(self) -> list[SnapshotRequest]:
        """The first message of each stream."""
        return [message for message in self.messages if message.replica]

    def answers(self, version: str) -> list[str]:
        """What replicas have answered to a version: "" or why it was refused."""
        return [m.refusal for m in self.messages if m.answers_version == version]

    def offer(self, snapshot: bytes | Snapshot) -> str:
        """Send a snapshot on every stream, now and to come; returns its version."""
        message = snapshot if isinstance(snapshot, Snapshot) else Snapshot.FromString(snapshot)
        with self._changed:
            self._snapshot = message
            self._changed.notify_all()
        version: str = message.version
        return version

    def stop(self) -> None:
        """End as a killed process would: every stream breaks."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._server.stop(None).wait()

    def _stream(
        self, requests: Iterator[SnapshotRequest], context: grpc.ServicerContext
    ) -> Iterator[SnapshotResponse]:
        if self.standby:
            context.abort(grpc.StatusCode.UNAVAILABLE, "standby")
        self.messages.append(next(requests))
        listening = threading.Thread(target=self._listen, args=(requests, context), daemon=True)
        listening.start()
        sent = None
        while (sent := self._other_than(sent, context)) is not None:
            yield SnapshotResponse(snapshot=sent)

    def _other_than(self, sent: Snapshot | None, context: grpc.ServicerContext) -> Snapshot | None:
        """The next snapshot, None once the stream is over."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._stopped or not context.is_active() or self._snapshot is not sent
            )
            return self._snapshot if not self._stopped and context.is_active() else None

    def _listen(self, requests: Iterator[SnapshotRequest], context: grpc.ServicerContext) -> None:
        with contextlib.suppress(Exception):  # so gRPC tells that the stream is over
            self.messages.extend(requests)
        with self._changed:
            self._changed.notify_all()
