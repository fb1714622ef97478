"""Snapshots: what is encoded comes back, and anything else is refused."""

from __future__ import annotations

import contextlib
import gzip
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prism.config.v1.snapshot_pb2 import Resource as ResourceMessage
from prism.config.v1.snapshot_pb2 import Snapshot
from prism.resources import Resource, content_hash, read_folder, version_of
from prism.wire import snapshot
from prism.wire.snapshot import BadSnapshot

DEMO = Path(__file__).parents[2] / "examples" / "demo"


def resource(kind: str, name: str, namespace: str, spec: dict[str, Any]) -> Resource:
    return Resource(kind, name, namespace, spec, content_hash(spec))


RESOURCES = [
    resource("RoutingTable", "main", "a", {"x": [1, 1.5, None, "ü", "\ud800"]}),
    resource("ProjectPolicy", "acme", "", {}),
]
ENCODED = snapshot.encode(version_of(RESOURCES), RESOURCES)


def test_resources_come_back() -> None:
    assert snapshot.decode(ENCODED) == RESOURCES
    assert snapshot.decode(snapshot.unpack(snapshot.pack(ENCODED))) == RESOURCES


def test_what_is_known_is_not_read_again() -> None:
    changed = [RESOURCES[0], resource("ProjectPolicy", "acme", "", {"project": "new"})]
    message = Snapshot.FromString(snapshot.encode(version_of(changed), changed))
    found = snapshot.resources_of(message, RESOURCES)
    assert found == changed
    assert found[0] is RESOURCES[0]
    # Whatever was known, the version tells what is in it.
    message.resources[1].generation = RESOURCES[1].generation
    with pytest.raises(BadSnapshot, match="damaged"):
        snapshot.resources_of(message, RESOURCES)


def test_a_snapshot_of_nothing_holds_nothing() -> None:
    assert snapshot.decode(snapshot.encode(version_of([]), [])) == []


def test_equal_snapshots_make_equal_files() -> None:
    assert snapshot.pack(ENCODED) == snapshot.pack(ENCODED)


def one(spec_json: bytes, generation: str = "") -> bytes:
    message = ResourceMessage(kind="RoutingTable", spec_json=spec_json, generation=generation)
    encoded: bytes = Snapshot(resources=[message]).SerializeToString()
    return encoded


@pytest.mark.parametrize(
    "data",
    [
        b"\xff",
        b"not a snapshot",
        ENCODED[:-1],
        one(b"{"),
        one(b"\xff"),
        one(b"[1]"),
        one(b"[" * 100_000),
        one(b"{}", generation="another"),
    ],
)
def test_bytes_that_are_no_snapshot_are_refused(data: bytes) -> None:
    with pytest.raises(BadSnapshot):
        snapshot.decode(data)


def test_a_resource_that_is_missing_is_noticed() -> None:
    with pytest.raises(BadSnapshot, match="damaged"):
        snapshot.decode(snapshot.encode(version_of(RESOURCES), RESOURCES[:1]))


@given(st.binary(max_size=60))
def test_any_bytes_are_a_snapshot_or_refused(data: bytes) -> None:
    with contextlib.suppress(BadSnapshot):
        snapshot.decode(data)


def test_a_flipped_bit_never_changes_what_is_read() -> None:
    resources, _ = read_folder(DEMO)
    encoded = snapshot.encode(version_of(resources), resources)
    decided = [(r.kind, r.name, r.spec) for r in resources]
    for place in range(0, len(encoded), 7):
        damaged = bytearray(encoded)
        damaged[place] ^= 1 << place % 8
        # A namespace is for people; nothing is decided by it.
        with contextlib.suppress(BadSnapshot):
            assert [(r.kind, r.name, r.spec) for r in snapshot.decode(bytes(damaged))] == decided


@pytest.mark.parametrize(
    "content",
    [
        b"",
        ENCODED,
        snapshot.pack(ENCODED)[:-1],
        snapshot.pack(ENCODED)[:-9] + b"\0" + snapshot.pack(ENCODED)[-8:],
        gzip.compress(bytes(snapshot.LARGEST_SNAPSHOT + 1)),
    ],
    ids=["empty", "not packed", "cut off", "damaged", "too large"],
)
def test_files_that_are_no_stored_snapshot_are_refused(content: bytes) -> None:
    with pytest.raises(BadSnapshot):
        snapshot.unpack(content)
