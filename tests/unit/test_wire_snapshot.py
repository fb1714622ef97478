"""Snapshots: what is encoded comes back, and anything else is refused."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prism.config.v1.snapshot_pb2 import Resource as ResourceMessage
from prism.config.v1.snapshot_pb2 import Snapshot
from prism.resources import Resource
from prism.wire import snapshot
from prism.wire.snapshot import BadSnapshot

RESOURCES = [
    Resource("RoutingTable", "main", "a", {"x": [1, 1.5, None, "ü"]}, "1"),
    Resource("ProjectPolicy", "acme", "", {}, "7"),
]


def test_resources_come_back() -> None:
    assert snapshot.decode(snapshot.encode("v1", RESOURCES)) == RESOURCES


def test_a_snapshot_of_nothing_holds_nothing() -> None:
    assert snapshot.decode(snapshot.encode("v1", [])) == []


@pytest.mark.parametrize(
    "data",
    [
        b"\xff",
        b"not a snapshot",
        snapshot.encode("v1", RESOURCES)[:-1],
        Snapshot(resources=[ResourceMessage(spec_json=b"{")]).SerializeToString(),
        Snapshot(resources=[ResourceMessage(spec_json=b"\xff")]).SerializeToString(),
        Snapshot(resources=[ResourceMessage(spec_json=b"[1]")]).SerializeToString(),
        Snapshot(resources=[ResourceMessage(spec_json=b"[" * 100_000)]).SerializeToString(),
    ],
)
def test_bytes_that_are_no_snapshot_are_refused(data: bytes) -> None:
    with pytest.raises(BadSnapshot):
        snapshot.decode(data)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_snapshot_or_refused(data: bytes) -> None:
    with contextlib.suppress(BadSnapshot):
        snapshot.decode(data)
