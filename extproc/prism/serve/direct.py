"""Which clusters a first attempt may go to straight away: those that Envoy has a host for.

Envoy answers 503 at once, and tries no other cluster, where the name of a provider was never
resolved. Through the internal listener that answer is a failed attempt like any other, so a
cluster is left to it until Envoy has been seen to have a host. It never loses its last one
again: a name that later fails to resolve leaves the addresses that were known.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from prism.envoy.clusters import has_address
from prism.exchange.targets import Target

Hosted = Callable[[], Awaitable[frozenset[str]]]
"""The names of the clusters that Envoy has a host for; none where it can't be asked."""


class Direct:
    """What is known of one Envoy's clusters."""

    def __init__(self, hosted: Hosted) -> None:
        self._hosted = hosted
        self._seen: frozenset[str] = frozenset()

    async def look(self) -> None:
        """Ask Envoy."""
        self._seen |= await self._hosted()

    def forget(self) -> None:
        """That Envoy is gone: the next one resolves every name anew."""
        self._seen = frozenset()

    def among(self, clusters: Mapping[str, Target]) -> list[str]:
        """Those of ``clusters`` that have a host."""
        return [
            name
            for name, target in clusters.items()
            if name in self._seen or has_address(target.base_url)
        ]
