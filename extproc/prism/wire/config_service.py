"""The operator's stream of snapshots, as a replica speaks it."""

from __future__ import annotations

from prism.config.v1.config_service_pb2 import SnapshotRequest, SnapshotResponse
from prism.config.v1.snapshot_pb2 import Snapshot

METHOD = "/prism.config.v1.ConfigService/StreamSnapshots"


def hello(replica: str, live_version: str) -> bytes:
    """The first message: who speaks, and what is live there (empty: nothing)."""
    encoded: bytes = SnapshotRequest(replica=replica, live_version=live_version).SerializeToString()
    return encoded


def answer(version: str, live_version: str, refusal: str) -> bytes:
    """The answer to the snapshot of ``version``; an empty ``refusal`` says that it is live."""
    encoded: bytes = SnapshotRequest(
        live_version=live_version, answers_version=version, refusal=refusal
    ).SerializeToString()
    return encoded


def offered(data: bytes) -> Snapshot:
    """The snapshot that the operator sends; raises protobuf's ``DecodeError``."""
    return SnapshotResponse.FromString(data).snapshot
