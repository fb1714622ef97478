"""Checked resources to a Snapshot message, or to the file it is stored in, and back.

A snapshot carries its own version, a hash over everything in it. Reading computes it anew, so
that damage on disk or on the way never becomes a decision.
"""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Iterable
from functools import partial
from typing import Any

from google.protobuf.message import DecodeError

from prism.config.v1.snapshot_pb2 import Resource as ResourceMessage
from prism.config.v1.snapshot_pb2 import Snapshot
from prism.resources import Resource, content_hash, version_of

LARGEST_SNAPSHOT = 64 * 1024 * 1024
"""Bytes of an encoded snapshot that are read; a file that unpacks to more is refused."""


class BadSnapshot(ValueError):
    """The bytes are no snapshot, or a damaged one."""


def encode(version: str, resources: Iterable[Resource]) -> bytes:
    """The snapshot of resources that are live together; ``version`` is their catalog's."""
    messages = [
        resource.made("message", None, partial(_message, resource)) for resource in resources
    ]
    encoded: bytes = Snapshot(version=version, resources=messages).SerializeToString()
    return encoded


def _message(resource: Resource) -> ResourceMessage:
    return ResourceMessage(
        kind=resource.kind,
        namespace=resource.namespace,
        name=resource.name,
        generation=resource.generation,
        spec_json=json.dumps(resource.spec, separators=(",", ":")).encode(),
    )


def decode(data: bytes) -> list[Resource]:
    """The resources of a snapshot; raises ``BadSnapshot``."""
    try:
        return resources_of(Snapshot.FromString(data))
    except DecodeError as error:
        raise BadSnapshot(f"not a snapshot: {error}") from None


def resources_of(snapshot: Snapshot, known: Iterable[Resource] = ()) -> list[Resource]:
    """The resources of a Snapshot message; raises ``BadSnapshot`` where it does not hold
    what its version says. Those that are among the ``known`` ones are not read again."""
    before = {(r.kind, r.namespace, r.name, r.generation): r for r in known}
    try:
        resources = [
            before.get((message.kind, message.namespace, message.name, message.generation))
            or _resource(message)
            for message in snapshot.resources
        ]
    except (ValueError, RecursionError) as error:
        raise BadSnapshot(f"not a snapshot: {error}") from None
    version = version_of(resources)
    if version != snapshot.version:
        raise BadSnapshot(f"damaged: it says version {snapshot.version!r} but holds {version}")
    return resources


def pack(encoded: bytes) -> bytes:
    """An encoded snapshot as the content of a file; equal snapshots give equal files."""
    # The highest level would take twice as long for a few percent.
    return gzip.compress(encoded, compresslevel=6, mtime=0)


def unpack(content: bytes) -> bytes:
    """The encoded snapshot in a file's content; raises ``BadSnapshot``."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            encoded = file.read(LARGEST_SNAPSHOT + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise BadSnapshot(f"not a stored snapshot: {error}") from None
    if not encoded:
        raise BadSnapshot("not a stored snapshot: it is empty")
    if len(encoded) > LARGEST_SNAPSHOT:
        raise BadSnapshot(f"it unpacks to more than {LARGEST_SNAPSHOT} bytes")
    return encoded


def _resource(message: ResourceMessage) -> Resource:
    spec: Any = json.loads(message.spec_json)
    if not isinstance(spec, dict):
        raise ValueError(f"the spec of {message.kind}/{message.name} is no object")
    if content_hash(spec) != message.generation:
        raise ValueError(f"{message.kind}/{message.name} does not hold what its generation says")
    return Resource(
        kind=message.kind,
        name=message.name,
        namespace=message.namespace,
        spec=spec,
        generation=message.generation,
    )
