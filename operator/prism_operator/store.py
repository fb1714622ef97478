"""The stored snapshot: what a replica starts from while no operator answers, and what an
operator takes up where the one before it left off."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Collection, Iterable
from typing import Any

from google.protobuf.message import DecodeError
from kubernetes_asyncio.client import ApiClient, ApiException, CoreV1Api

from prism.config.v1.snapshot_pb2 import Snapshot
from prism.resources import API_VERSION, Resource, read_document
from prism.wire import snapshot
from prism.wire.snapshot import BadSnapshot
from prism_operator.api import TIMEOUT_S
from prism_operator.observed import Key, resource_key

ENTRY = "snapshot.pb.gz"
"""The entry of the ConfigMap, and the name of the file where that is mounted."""
LARGEST = 1024 * 1024
"""Bytes that a ConfigMap may hold."""


class TooLarge(Exception):
    """The snapshot does not fit into a ConfigMap."""


class Damaged(Exception):
    """The ConfigMap does not hold a snapshot that can be read."""


class Store:
    """One ConfigMap. Reading and writing raise one of ``api.UNREACHABLE`` as well."""

    def __init__(self, client: ApiClient, namespace: str, name: str) -> None:
        self._core = CoreV1Api(client)
        self.namespace = namespace
        self.name = name
        self._version = ""

    async def read(self, known: Iterable[Resource] = ()) -> dict[Key, Resource]:
        """The stored resources; none where nothing is stored. Raises ``Damaged``. Those that
        are among the ``known`` ones are not parsed again."""
        content = await self.look()
        # Thousands take a second or more, for which nobody else should have to wait.
        return await asyncio.to_thread(unpacked, content, list(known)) if content else {}

    async def look(self) -> str:
        """What is stored, as it stands in the ConfigMap; empty where nothing is. From then on
        nobody else has written until a writing says so."""
        try:
            found = await self._core.read_namespaced_config_map(
                self.name, self.namespace, _request_timeout=TIMEOUT_S
            )
        except ApiException as error:
            if error.status != 404:
                raise
            self._version = ""
            return ""
        self._version = found.metadata.resource_version
        return (found.binary_data or {}).get(ENTRY) or ""

    async def write(self, version: str, encoded: bytes) -> None:
        """Store a snapshot; raises ``TooLarge``. Another writer since the last reading or
        writing is a conflict (``ApiException`` 409): read again first."""
        packed = await asyncio.to_thread(snapshot.pack, encoded)
        if len(packed) > LARGEST - len(ENTRY):
            size = f"{len(packed)} bytes compressed"
            raise TooLarge(f"snapshot {version} has {size}; a ConfigMap takes {LARGEST}")
        body = self._body(version, packed)
        if self._version:
            written = await self._core.replace_namespaced_config_map(
                self.name, self.namespace, body, _request_timeout=TIMEOUT_S
            )
        else:
            written = await self._core.create_namespaced_config_map(
                self.namespace, body, _request_timeout=TIMEOUT_S
            )
        self._version = written.metadata.resource_version

    def _body(self, version: str, packed: bytes) -> Any:
        metadata: dict[str, Any] = {
            "name": self.name,
            "namespace": self.namespace,
            "labels": {"app.kubernetes.io/managed-by": "prism-operator"},
            "annotations": {"routing.prism.dev/snapshot": version},
        }
        if self._version:
            metadata["resourceVersion"] = self._version
        return {"metadata": metadata, "binaryData": {ENTRY: base64.b64encode(packed).decode()}}


def unpacked(content: str, known: Collection[Resource] = ()) -> dict[Key, Resource]:
    """The resources in an entry of ``binaryData``; raises ``Damaged``."""
    try:
        message = Snapshot.FromString(snapshot.unpack(base64.b64decode(content, validate=True)))
        stored = snapshot.resources_of(message, known)
    except (BadSnapshot, DecodeError, binascii.Error) as error:
        raise Damaged(str(error)) from None
    parsed = set(map(id, known))
    found = (one if id(one) in parsed else _reread(one) for one in stored)
    return {resource_key(resource): resource for resource in found if resource is not None}


def _reread(stored: Resource) -> Resource | None:
    """The resource as this version of the parser reads it, which may know newer defaults."""
    document = {
        "apiVersion": API_VERSION,
        "kind": stored.kind,
        "metadata": {"name": stored.name, "namespace": stored.namespace},
        "spec": stored.spec,
    }
    return read_document(document)[0]
