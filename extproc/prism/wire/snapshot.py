"""Checked resources to a Snapshot message and back."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from google.protobuf.message import DecodeError

from prism.config.v1.snapshot_pb2 import Resource as ResourceMessage
from prism.config.v1.snapshot_pb2 import Snapshot
from prism.resources import Resource


class BadSnapshot(ValueError):
    """The bytes are no snapshot."""


def encode(version: str, resources: Iterable[Resource]) -> bytes:
    """The snapshot of resources that are live together."""
    messages = [
        ResourceMessage(
            kind=resource.kind,
            namespace=resource.namespace,
            name=resource.name,
            generation=resource.generation,
            spec_json=json.dumps(resource.spec, separators=(",", ":")).encode(),
        )
        for resource in resources
    ]
    encoded: bytes = Snapshot(version=version, resources=messages).SerializeToString()
    return encoded


def decode(data: bytes) -> list[Resource]:
    """The resources of a snapshot; raises ``BadSnapshot``."""
    try:
        snapshot = Snapshot.FromString(data)
        return [
            Resource(
                kind=message.kind,
                name=message.name,
                namespace=message.namespace,
                spec=_spec(message.spec_json),
                generation=message.generation,
            )
            for message in snapshot.resources
        ]
    except (DecodeError, ValueError, RecursionError) as error:
        raise BadSnapshot(f"not a snapshot: {error}") from None


def _spec(encoded: bytes) -> dict[str, Any]:
    spec = json.loads(encoded)
    if not isinstance(spec, dict):
        raise ValueError("the specification of a resource is no object")
    return spec
