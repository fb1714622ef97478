"""Which provider keys rest: those that their provider has refused or limited just now.

A key is known here by its name only.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from prism.exchange.targets import NONE_RESTS, Key, Resting, Target
from prism.serve.crossing import crossed
from prism.serve.rest import longer

log = logging.getLogger(__name__)

LONGEST_RETRY_AFTER_S = 3600.0
"""The longest that a provider's Retry-After is believed of a key."""
UNAUTHORIZED = 401


@dataclass(slots=True)
class _Key:
    until: float
    rest_s: float
    status: int
    at: float
    """When it was refused, by Envoy's clock."""


class KeyTracker:
    """Rests keys per cluster, since limits are per key and model. ``clock`` gives monotonic
    seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._keys: dict[tuple[str, str], _Key] = {}
        self._worked: dict[tuple[str, str], float] = {}
        """When each key of a pool was taken last, by Envoy's clock."""
        self._clusters: Mapping[str, Target] = {}
        self._resting: Resting = NONE_RESTS
        self._wake = math.inf

    def now(self) -> Resting:
        """The keys to leave alone; the same object until something changes."""
        if self._clock() >= self._wake:
            self._renew()
        return self._resting

    def refused(
        self,
        target: Target,
        key: Key,
        status: int,
        retry_after_s: float | None,
        clusters: Mapping[str, Target],
        at: float = 0.0,
    ) -> None:
        """``status`` was the answer to ``key`` at ``target``. After 401 it rests for every
        model of that provider among ``clusters``: it is the key itself that is not taken.

        ``at`` is when that was, in seconds since the epoch by Envoy's clock, as in ``worked``.
        """
        if crossed(at, self._worked.get((target.cluster, key.name), at)):
            return
        places = [target.cluster]
        if status == UNAUTHORIZED:
            places += [
                other.cluster
                for other in clusters.values()
                if (other.provider, other.base_url) == (target.provider, target.base_url)
                and other.cluster != target.cluster
            ]
        rests = [self._rest(place, key.name, status, retry_after_s, at) for place in places]
        if any(rests):
            self._renew()
            log.warning(
                "provider %s answers %d to the key %s (model %s): it rests for %.0f s",
                *(target.provider, status, key.name, target.model, rests[0]),
            )

    def _rest(
        self, place: str, name: str, status: int, retry_after_s: float | None, at: float
    ) -> float:
        """Seconds of the rest that begins now; 0 where one is under way."""
        now = self._clock()
        known = self._keys.get((place, name))
        if known is not None and known.until > now:
            return 0.0
        rest_s = longer(0.0 if known is None else known.rest_s)
        length = rest_s if retry_after_s is None else min(retry_after_s, LONGEST_RETRY_AFTER_S)
        self._keys[place, name] = _Key(now + length, rest_s, status, at)
        return length

    def worked(self, target: Target, key: Key, at: float = 0.0) -> None:
        """``key`` was taken: it need not rest, and its next rest is a short one again."""
        place = (target.cluster, key.name)
        if not crossed(at, self._worked.get(place, at)):
            self._worked[place] = at
        known = self._keys.get(place)
        if known is not None and not crossed(at, known.at):
            del self._keys[place]
            self._renew()

    def soonest_s(self, target: Target) -> float:
        """Seconds until one of ``target``'s keys is awake; 0 where one is."""
        now = self._clock()
        known = [self._keys.get((target.cluster, key.name)) for key in target.keys]
        return min((0.0 if one is None else max(0.0, one.until - now) for one in known), default=0)

    def keep(self, clusters: Mapping[str, Target]) -> None:
        """Forget the keys of clusters that are gone, and those that were replaced."""
        before, self._clusters = self._clusters, clusters
        self._keys = {
            place: known
            for place, known in self._keys.items()
            if (new := _key(clusters, place)) is not None and new == (_key(before, place) or new)
        }
        self._worked = {place: at for place, at in self._worked.items() if place[0] in clusters}
        self._renew()

    def shown(self, clusters: Mapping[str, Target]) -> list[dict[str, object]]:
        """The resting keys by name, for people."""
        now = self._clock()
        return [
            {
                "key": name,
                "provider": clusters[place].provider,
                "model": clusters[place].model,
                "status": key.status,
                "secondsLeft": round(key.until - now, 1),
            }
            for (place, name), key in self._keys.items()
            if key.until > now and place in clusters
        ]

    def _renew(self) -> None:
        now = self._clock()
        # One that has been awake for as long as it last rested starts over.
        self._keys = {p: key for p, key in self._keys.items() if key.until + key.rest_s > now}
        resting = {place: key.until for place, key in self._keys.items() if key.until > now}
        self._resting = MappingProxyType(resting) if resting else NONE_RESTS
        self._wake = min(resting.values(), default=math.inf)


def _key(clusters: Mapping[str, Target], place: tuple[str, str]) -> Key | None:
    cluster, name = place
    target = clusters.get(cluster)
    return None if target is None else next((k for k in target.keys if k.name == name), None)
