"""Which replica of the gateway runs which snapshot, and what that means for one resource."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

Contents = Mapping[str, str]
"""What a snapshot holds: the generation of each resource by its label."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How far one version of a resource has come. ``running`` of ``total`` replicas run a
    snapshot that holds it; ``refused`` is who will not and why; ``waiting`` is the rest."""

    running: int
    total: int
    refused: tuple[tuple[str, str], ...] = ()
    waiting: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """``2/3``."""
        return f"{self.running}/{self.total}"


@dataclass(slots=True)
class Replica:
    """One connected replica. ``answered`` is the last version that it took or refused."""

    name: str
    live: str
    answered: str = ""
    refusal: str = ""


@dataclass(slots=True)
class Rollout:
    """The snapshot that all replicas should run, and what each one does.

    ``changes`` counts up whenever anything here changes.
    """

    version: str = ""
    changes: int = 0
    _contents: dict[str, Contents] = field(default_factory=dict)
    _replicas: dict[object, Replica] = field(default_factory=dict)
    _views: list[tuple[Contents, list[Replica]]] = field(default_factory=list)
    _viewed: int = -1

    @property
    def replicas(self) -> tuple[Replica, ...]:
        """The connected replicas. Of two of one name, the later one: the other is a
        connection that has not been found dead yet."""
        return tuple({replica.name: replica for replica in self._replicas.values()}.values())

    @property
    def settled(self) -> bool:
        """Whether every replica has answered the snapshot."""
        return all(replica.answered == self.version for replica in self.replicas)

    def publish(self, version: str, contents: Contents) -> None:
        """A snapshot that every replica should run from now on."""
        self.version = version
        needed = {version, *(replica.live for replica in self._replicas.values())}
        self._contents = {v: known for v, known in self._contents.items() if v in needed}
        self._contents[version] = contents
        self.changes += 1

    def connect(self, session: object, name: str, live: str) -> None:
        """A replica has said who it is and what it runs."""
        self._replicas[session] = Replica(name, live)
        self.changes += 1

    def answer(self, session: object, version: str, refusal: str) -> None:
        """A replica has taken a snapshot (``refusal`` is empty) or refused it."""
        replica = self._replicas[session]
        replica.answered, replica.refusal = version, refusal
        if not refusal:
            replica.live = version
        self.changes += 1

    def disconnect(self, session: object) -> None:
        if self._replicas.pop(session, None) is not None:
            self.changes += 1

    def reach(self, label: str, generation: str) -> Reach:
        """How far a version of a resource has come."""
        if self._viewed != self.changes:
            self._views = self._view()
            self._viewed = self.changes
        others = [v for v in self._views if v[0].get(label) != generation]
        total = sum([len(replicas) for _, replicas in self._views])
        if not others:
            return _everywhere(total)
        behind = [replica for _, replicas in others for replica in replicas]
        refused = [r for r in behind if r.answered == self.version and r.refusal]
        waiting = [r.name for r in behind if r not in refused]
        return Reach(
            running=total - len(behind),
            total=total,
            refused=tuple((r.name, r.refusal) for r in refused),
            waiting=tuple(waiting),
        )

    def _view(self) -> list[tuple[Contents, list[Replica]]]:
        """The replicas by what they run: one group, for most of the time."""
        groups: dict[str, list[Replica]] = {}
        for replica in self.replicas:
            groups.setdefault(replica.live, []).append(replica)
        return [(self._contents.get(live, {}), replicas) for live, replicas in groups.items()]


@lru_cache
def _everywhere(total: int) -> Reach:
    """The same one each time, so that thousands are quickly seen to be as they were."""
    return Reach(total, total)
