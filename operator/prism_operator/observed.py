"""What the API server holds of one of our resources, and what the parser says to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from prism.resources import PROJECT_POLICY, Problem, Resource, read_document


class Key(NamedTuple):
    """Which resource: names are unique within a kind and a namespace."""

    kind: str
    namespace: str
    name: str

    @property
    def label(self) -> str:
        """``RoutingTable/default``, as problems name a resource."""
        return f"{self.kind}/{self.name}"


@dataclass(frozen=True, slots=True)
class Observed:
    """One object of the API server, read by the one parser.

    ``generation`` counts changes of the spec, ``version`` (its resourceVersion) every change.
    ``created`` is its creationTimestamp; such texts sort by time. ``resource`` is ``None``
    where one of ``problems`` is an error. ``claimed`` is what a policy wants for itself.
    """

    key: Key
    uid: str
    generation: int
    version: int
    created: str
    status: Mapping[str, Any]
    resource: Resource | None
    problems: tuple[Problem, ...]
    claimed: frozenset[str]


def key_of(document: Mapping[str, Any]) -> Key:
    """The key of a document that the API server handed out."""
    metadata = document["metadata"]
    return Key(document["kind"], metadata.get("namespace", ""), metadata["name"])


def resource_key(resource: Resource) -> Key:
    """The key of a resource that was read before."""
    return Key(resource.kind, resource.namespace, resource.name)


def observe(document: Mapping[str, Any], known: Observed | None = None) -> Observed:
    """Read a document. ``known`` is what was there of it before: a spec is parsed only once."""
    metadata = document["metadata"]
    uid, generation = metadata.get("uid", ""), metadata.get("generation", 0)
    if known is not None and (known.uid, known.generation) == (uid, generation):
        resource, problems, claimed = known.resource, known.problems, known.claimed
    else:
        resource, found = read_document(document)
        problems, claimed = tuple(found), claimed_by(resource)
    return Observed(
        key=key_of(document),
        uid=uid,
        generation=generation,
        version=int(metadata.get("resourceVersion") or 0),
        created=metadata.get("creationTimestamp") or "",
        status=document.get("status") or {},
        resource=resource,
        problems=problems,
        claimed=claimed,
    )


def claimed_by(resource: Resource | None) -> frozenset[str]:
    """What a policy wants for itself: its project, its keys, an anonymous place (of whichever
    table). Those that share none of it cannot be in each other's way."""
    if resource is None or resource.kind != PROJECT_POLICY:
        return frozenset()
    spec = resource.spec
    keys = (entry["sha256"] for entry in spec["apiKeys"])
    return frozenset([f"project {spec['project']}", *keys, *["anonymous"] * spec["anonymous"]])
