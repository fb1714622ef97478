"""What the API server holds of one of our resources, and what the parser says to it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from prism.resources import PROJECT_POLICY, Problem, Resource, Severity, read_document

log = logging.getLogger(__name__)


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
        resource, problems = _read(document)
        claimed = claimed_by(resource)
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


def _read(document: Mapping[str, Any]) -> tuple[Resource | None, tuple[Problem, ...]]:
    """What the parser says. Should it fail, that is one refused resource and not the end."""
    try:
        resource, found = read_document(document)
    except Exception as error:
        log.exception("the parser failed on %s", key_of(document).label)
        message = f"cannot be read ({type(error).__name__}); this is a defect of Prism"
        return None, (Problem(Severity.ERROR, message, resource=key_of(document).label),)
    return resource, tuple(found)


def claimed_by(resource: Resource | None) -> frozenset[str]:
    """What a policy wants for itself: its project, its keys, an anonymous place (of whichever
    table). Those that share none of it cannot be in each other's way."""
    if resource is None or resource.kind != PROJECT_POLICY:
        return frozenset()
    spec = resource.spec
    keys = (entry["sha256"] for entry in spec["apiKeys"])
    return frozenset([f"project {spec['project']}", *keys, *["anonymous"] * spec["anonymous"]])
