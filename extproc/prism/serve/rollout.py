"""Puts what a source offers live, keeps it as the last good, and remembers what was refused."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Any

from prism.resources import Problem
from prism.routing.catalog import Catalog
from prism.serve.ads import Refused
from prism.serve.configuration import Configuration
from prism.serve.credentials import Credentials, missing, names_in
from prism.serve.snapshot_file import SnapshotFile
from prism.serve.source import BrokenConfiguration, Offer, Origin, Source

log = logging.getLogger(__name__)

RETRY_S = 10.0
"""Seconds until what Envoy did not take is tried again: it may only have been too slow."""

Offered = Offer | BrokenConfiguration


class Rollout:
    """The one way for a configuration to become live. ``classifier`` is the digest of the one
    that is used: predictors of another one are told of."""

    def __init__(
        self,
        configuration: Configuration,
        credentials: Credentials,
        last_good: SnapshotFile,
        classifier: str = "",
    ) -> None:
        self._configuration = configuration
        self._credentials = credentials
        self._last_good = last_good
        self._classifier = classifier
        self._turn = asyncio.Lock()
        self._live: Offer | None = None
        self._before: Catalog | None = None
        self._problems: list[Problem] = []
        self._missing: list[Problem] = []
        """Keys that the live configuration names and that are not there."""
        self._refused = ""
        self.since: float | None = None
        """When the live version became that, in seconds since the epoch."""

    @property
    def version(self) -> str | None:
        """The version that is live."""
        return None if self._live is None else self._live.catalog.version

    @property
    def origin(self) -> str:
        """Where it came from; empty while there is none."""
        return "" if self._live is None else self._live.origin.value

    def catalogs(self) -> tuple[Catalog | None, Catalog | None]:
        """The one that is live, and the one that was before it."""
        return (None if self._live is None else self._live.catalog), self._before

    async def follow(self, source: Source) -> None:
        """Take what a source offers until cancelled; what Envoy refused is tried again."""
        offers = source.offers()
        refused: Offer | None = None
        while True:
            # Only now: a source may look at what became of its last offer.
            upcoming = asyncio.ensure_future(anext(offers))
            try:
                while not await _within(upcoming, RETRY_S if refused else None):
                    if refused is not None:
                        refused = await self._settle(source, refused)
            finally:
                upcoming.cancel()
            refused = await self._settle(source, upcoming.result())

    async def _settle(self, source: Source, offered: Offered) -> Offer | None:
        """Take an offer, answer it and keep it; returns the offer if it may be taken later."""
        before = self.version
        refusal = await self.take(offered)
        await source.answer(offered, refusal)
        if not isinstance(offered, Offer):
            return None
        if refusal:
            return offered
        if self.version != before and offered.origin is not Origin.LAST_GOOD:
            await asyncio.to_thread(self._last_good.save, offered)
        return None

    async def take(self, offered: Offered) -> str:
        """Put a configuration live; returns why it is not, empty where it is."""
        if isinstance(offered, BrokenConfiguration):
            self._problems = list(offered.problems)
            for problem in offered.problems:
                log.error("%s", problem)
            log.error("configuration refused; live is %s", self.version or "none")
            return str(offered)
        self._problems = list(offered.problems)
        for problem in offered.problems:
            log.warning("%s", problem)
        async with self._turn:
            if offered.catalog.version != self.version:
                self._refused = await self._apply(offered)
                if self._refused:
                    return self._refused
                self.since = time.time()
                self._before = self.catalogs()[0]
            self._live, self._refused = offered, ""
        return ""

    async def renew_keys(self) -> None:
        """Read the provider keys again, for what is live."""
        async with self._turn:
            if self._live is not None:
                self._refused = await self._apply(self._live)

    async def _apply(self, offer: Offer) -> str:
        catalog = offer.catalog
        keys = await asyncio.to_thread(self._credentials.read, names_in(catalog))
        self._missing = list(missing(catalog, keys))
        for problem in self._missing:
            log.warning("%s", problem)
        for table in catalog.tables.values():
            if table.predictor is not None and table.predictor.classifier != self._classifier:
                log.warning(
                    "table %s: its predictor was made with another classifier and is not used; "
                    'make it anew with "prism calibrate --predict"',
                    table.name,
                )
        try:
            await self._configuration.apply(catalog, keys)
        except Refused as error:
            refusal = _without(str(error), keys)
            log.error("configuration refused by Envoy: %s", refusal)
            return refusal
        except Exception as error:  # one configuration must not end the server, again and again
            refusal = _without(f"it can't be made live: {type(error).__name__}: {error}", keys)
            log.error("configuration %s: %s", catalog.version, refusal)
            return refusal
        log.info(
            "configuration %s is live (%s): tables %d, policies %d",
            catalog.version,
            offer.origin,
            len(catalog.tables),
            len(catalog.policies),
        )
        return ""

    def status(self) -> dict[str, Any]:
        """What ``/status`` shows of it."""
        return {
            "source": None if self._live is None else self._live.origin.value,
            "problems": [problem.to_json() for problem in (*self._problems, *self._missing)],
            "refusedByEnvoy": self._refused or None,
        }


async def _within(future: asyncio.Future[Any], seconds: float | None) -> bool:
    """Whether a future is done within some time (``None``: however long it takes)."""
    done, _ = await asyncio.wait({future}, timeout=seconds)
    return bool(done)


def _without(text: str, keys: Mapping[str, str]) -> str:
    """What Envoy said, without the value of any provider key."""
    for value in keys.values():
        text = text.replace(value, "***")
    return text
