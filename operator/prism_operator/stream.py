"""Hands snapshots to the replicas of the gateway, and hears what they make of them.

Served on every replica of the operator, but a standby answers UNAVAILABLE at once. Only a
client whose certificate names ``prism-extproc`` is let in.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import grpc

from prism.config.v1.config_service_pb2 import SnapshotRequest, SnapshotResponse
from prism.config.v1.snapshot_pb2 import Snapshot
from prism_operator.rollout import Contents, Rollout

log = logging.getLogger(__name__)

SERVICE, METHOD = "prism.config.v1.ConfigService", "StreamSnapshots"
CLIENT_NAME = "prism-extproc"

_HELLO_S = 10.0
_LONGEST_REFUSAL = 2000
_RETRY_S = 30.0
"""Seconds after which a replica is asked again for a snapshot that it refused: what kept it
(its Envoy was starting, a name did not resolve) may have passed."""

OPTIONS = (
    ("grpc.so_reuseport", 0),
    # A replica that is gone is noticed within seconds; its own pings are welcome.
    ("grpc.keepalive_time_ms", 5_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.ping_timeout_ms", 5_000),  # a minute by default, and it is the one that counts
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 500),
    ("grpc.http2.max_ping_strikes", 0),
    # Connections end now and then, so that no certificate is in use for long after its end.
    ("grpc.max_connection_age_ms", 3_600_000),
    ("grpc.max_connection_age_grace_ms", 5_000),
    ("grpc.max_send_message_length", 128 * 1024 * 1024),
)


@dataclass(slots=True, eq=False)
class _Session:
    """One stream. ``sent`` is the version that it was sent last, ``answered`` the last that it
    has answered, and ``refused`` how; ``wake`` is set when there may be something to do."""

    wake: asyncio.Event = field(default_factory=asyncio.Event)
    sent: str = ""
    answered: str = ""
    refused: bool = False


class SnapshotStream:
    """The service. ``changed`` is called whenever a replica comes, goes or answers."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self.rollout = Rollout()
        self._changed = changed
        self._open = False
        self._message = b""
        self._sessions: set[_Session] = set()

    def open(self) -> None:
        """Take replicas from now on: this operator leads."""
        self.rollout = Rollout()
        self._message = b""
        self._open = True

    def close(self) -> None:
        """Send all replicas away: this operator leads no more."""
        self._open = False
        self._wake()

    def publish(self, version: str, encoded: bytes, contents: Contents) -> None:
        """What every replica should run. ``encoded`` is the Snapshot message."""
        self._message = SnapshotResponse(snapshot=Snapshot.FromString(encoded)).SerializeToString()
        self.rollout.publish(version, contents)
        self._wake()

    def _wake(self) -> None:
        for session in self._sessions:
            session.wake.set()

    def handler(self) -> grpc.GenericRpcHandler:
        """What a gRPC server is given to serve."""
        method = grpc.stream_stream_rpc_method_handler(
            self._stream,
            request_deserializer=SnapshotRequest.FromString,
            response_serializer=bytes,
        )
        return grpc.method_handlers_generic_handler(SERVICE, {METHOD: method})

    async def _stream(self, _: Any, context: Any) -> None:
        await self._admit(context)
        hello = await self._hello(context)
        session, rollout = _Session(), self.rollout
        self._sessions.add(session)
        rollout.connect(session, hello.replica, hello.live_version)
        log.info(
            "replica %s is here, with snapshot %s", hello.replica, hello.live_version or "none"
        )
        self._changed()
        listening = asyncio.create_task(self._listen(context, session, rollout))
        try:
            await self._send(context, session, listening)
        finally:
            listening.cancel()
            self._sessions.discard(session)
            rollout.disconnect(session)
            log.info("replica %s is gone", hello.replica)
            self._changed()

    async def _admit(self, context: Any) -> None:
        names = context.auth_context().get("x509_subject_alternative_name", ())
        if CLIENT_NAME.encode() not in names:
            log.warning("a client with the names %s was refused", [n.decode() for n in names])
            message = f"the client's certificate does not name {CLIENT_NAME}"
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, message)
        if not self._open:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "standby: another operator acts")

    async def _hello(self, context: Any) -> SnapshotRequest:
        try:
            hello: Any = await asyncio.wait_for(context.read(), _HELLO_S)
        except TimeoutError:
            hello = grpc.aio.EOF
        if hello is grpc.aio.EOF or not hello.replica:
            message = "the first message must say which replica this is"
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, message)
        if not self._open:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "standby: another operator acts")
        return cast("SnapshotRequest", hello)

    async def _listen(self, context: Any, session: _Session, rollout: Rollout) -> None:
        """Note the answers until the replica has no more to say."""
        try:
            while (message := await context.read()) is not grpc.aio.EOF:
                version, refusal = message.answers_version, message.refusal[:_LONGEST_REFUSAL]
                if version != session.sent:
                    continue  # not what was asked
                session.answered, session.refused = version, bool(refusal)
                rollout.answer(session, version, refusal)
                session.wake.set()
                self._changed()
        finally:
            session.wake.set()

    async def _send(self, context: Any, session: _Session, listening: asyncio.Task[None]) -> None:
        """Send the newest snapshot, whenever the one before was answered."""
        while not listening.done():
            if not self._open:
                await context.abort(grpc.StatusCode.UNAVAILABLE, "standby: another operator acts")
            version = self.rollout.version
            if version not in ("", session.sent) and session.answered == session.sent:
                session.sent = version
                await context.write(self._message)
            try:
                await asyncio.wait_for(session.wake.wait(), _RETRY_S if session.refused else None)
            except TimeoutError:
                session.sent = session.answered = ""
            session.wake.clear()
