"""Every resource that is known to exist, kept in step with the API server.

Two things tell of changes: events of a watch, which come at once but can be missed while the
connection is away, and listings, which are complete but come late. Both are merged by
resourceVersion, so that neither undoes what the other knows to be newer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from prism_operator.observed import Key, Observed, key_of, observe

_MOST_GONE = 10_000


class Inventory:
    """The resources of all watched namespaces. The methods that change it say whether
    something changed that matters to what is live (a status does not)."""

    def __init__(self) -> None:
        self._known: dict[Key, Observed] = {}
        self._gone: dict[str, None] = {}  # uids in the order in which they were deleted

    def __len__(self) -> int:
        return len(self._known)

    def get(self, key: Key) -> Observed | None:
        return self._known.get(key)

    def all(self) -> tuple[Observed, ...]:
        """A copy that does not change any more."""
        return tuple(self._known.values())

    def newest(self, kind: str) -> int:
        """The newest resourceVersion that an object of a kind has; 0 without any."""
        return max((one.version for key, one in self._known.items() if key.kind == kind), default=0)

    def put(self, document: Mapping[str, Any]) -> bool:
        """An object as it is now, or as it was: an older version than the known one is ignored."""
        key = key_of(document)
        known = self._known.get(key)
        metadata = document["metadata"]
        version = int(metadata.get("resourceVersion") or 0)
        if metadata.get("uid") in self._gone or (known and known.version >= version):
            return False
        seen = self._known[key] = observe(document, known)
        return known is None or (known.uid, known.generation) != (seen.uid, seen.generation)

    def remove(self, document: Mapping[str, Any]) -> bool:
        """An object was deleted; ``document`` is its last state."""
        key = key_of(document)
        metadata = document["metadata"]
        self._forget(metadata.get("uid", ""))
        known = self._known.get(key)
        if known is None or known.uid != metadata.get("uid"):
            return False
        del self._known[key]
        return True

    def listed(
        self, kind: str, namespace: str, documents: Iterable[Mapping[str, Any]], version: int
    ) -> bool:
        """All objects of a kind in a namespace (empty: in all), as of ``version``."""
        changed = False
        present: set[Key] = set()
        for document in documents:
            present.add(key_of(document))
            changed |= self.put(document)
        for key, known in list(self._known.items()):
            inside = key.kind == kind and namespace in ("", key.namespace)
            # What was created after the listing is newer than it.
            if inside and key not in present and known.version <= version:
                self._forget(known.uid)
                del self._known[key]
                changed = True
        return changed

    def _forget(self, uid: str) -> None:
        """A uid never comes back, but an event from before the deletion may still be on its way."""
        self._gone[uid] = None
        if len(self._gone) > _MOST_GONE:
            del self._gone[next(iter(self._gone))]
