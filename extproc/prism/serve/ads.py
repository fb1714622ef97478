"""ADS: gives each connected Envoy its clusters, routes and secret, and waits for its word.

The delta variant, so that one change among thousands of clusters is one small message
(https://www.envoyproxy.io/docs/envoy/v1.40.0/api-docs/xds_protocol#incremental-xds).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import grpc

from prism.wire import xds
from prism.wire.xds import Encoded

log = logging.getLogger(__name__)

ACK_TIMEOUT_S = 10.0
_EOF = grpc.aio.EOF
# Clusters before the routes that name them.
_ORDER = (xds.SECRET, xds.CLUSTER, xds.ROUTES)

Resources = Mapping[str, Mapping[str, Encoded]]
"""Type URL → name → resource."""


class Refused(Exception):
    """Envoy refused a configuration (NACK); the message is its own."""


class Ads:
    """The ADS service. ``publish`` brings every connected Envoy to a set of resources."""

    def __init__(self) -> None:
        self._wanted: dict[str, dict[str, Encoded]] = {url: {} for url in _ORDER}
        self._published: set[str] = set()
        self._streams: set[_Stream] = set()
        self.acknowledged = asyncio.Event()
        """Set while some connected Envoy has acknowledged routes: it can serve."""
        self.on_gone: Callable[[], None] | None = None
        """Called when an Envoy has gone away."""

    @property
    def connected(self) -> int:
        """How many Envoys are connected."""
        return len(self._streams)

    async def publish(self, resources: Resources) -> None:
        """Send what differs and wait until every Envoy has acknowledged; raises ``Refused``.

        Types that ``resources`` does not name stay as they are. An Envoy that goes away
        meanwhile is no obstacle: it gets everything when it comes back.
        """
        self._published |= resources.keys()
        before = dict(self._wanted)
        for url, items in resources.items():
            self._wanted[url] = dict(items)
        waits = [
            wait
            for stream in list(self._streams)
            for url in _ORDER
            if url in resources and (wait := await stream.bring(url)) is not None
        ]
        if not waits:
            return
        done, late = await asyncio.wait(waits, timeout=ACK_TIMEOUT_S)
        refused = [error for wait in done if (error := wait.result()) is not None]
        if late:
            refused.append(f"no answer from Envoy within {ACK_TIMEOUT_S:g} s")
        if refused:
            self._wanted.update(before)
            for stream in list(self._streams):
                for url in _ORDER:
                    if url in resources:
                        await stream.bring(url)
            raise Refused("; ".join(dict.fromkeys(refused)))

    async def stream(self, _: object, context: Any) -> None:
        """One connected Envoy."""
        stream = _Stream(context, self._wanted)
        self._streams.add(stream)
        try:
            while (message := await context.read()) is not _EOF:
                url = message.type_url
                # Nothing at all is no answer: an Envoy that waits for its routes goes on waiting.
                if stream.take(message) and url in self._published:
                    await stream.bring(url)
                if stream.has_acknowledged(xds.ROUTES):
                    self.acknowledged.set()
        finally:
            self._streams.discard(stream)
            stream.gone()
            if not any(other.has_acknowledged(xds.ROUTES) for other in self._streams):
                self.acknowledged.clear()
            if self.on_gone is not None:
                self.on_gone()


class _Stream:
    """What one Envoy has subscribed to, has been sent and has acknowledged. ``wanted`` is what
    it should have, by type URL and name."""

    def __init__(self, context: Any, wanted: Mapping[str, Mapping[str, Encoded]]) -> None:
        self._context = context
        self._wanted = wanted
        self._subscribed: dict[str, set[str] | None] = {}
        self._sent: dict[str, dict[str, str]] = {}
        self._waits: dict[str, tuple[str, asyncio.Future[str | None]]] = {}
        self._acknowledged: set[str] = set()
        self._nonce = 0
        self._turn = asyncio.Lock()
        self._over = False

    def take(self, message: Any) -> bool:
        """Take a request; whether it asks for something (rather than answers)."""
        url = message.type_url
        if message.response_nonce:
            self._answered(message)
        first = url not in self._subscribed
        if first:
            # What Envoy still has from a stream before this one need not be sent again.
            self._sent[url] = dict(message.initial_resource_versions)
        names = {name for name in message.resource_names_subscribe if name != "*"}
        if first and not names:
            self._subscribed[url] = None  # a wildcard: everything
            return True
        wanted = self._subscribed.setdefault(url, set())
        if wanted is None:
            return False
        wanted |= names
        gone = set(message.resource_names_unsubscribe)
        wanted -= gone
        for name in gone | names:
            self._sent[url].pop(name, None)
        return bool(names)

    def _answered(self, message: Any) -> None:
        _, wait = self._waits.pop(message.response_nonce, ("", None))
        detail = message.error_detail.message if message.HasField("error_detail") else None
        if detail is None:
            self._acknowledged.add(message.type_url)
        else:
            log.error("Envoy refused a configuration: %s", detail)
            # It keeps what it had, so what it was sent no longer tells what it has.
            self._sent[message.type_url] = {}
        if wait is not None and not wait.done():
            wait.set_result(detail)

    async def bring(self, url: str) -> asyncio.Future[str | None] | None:
        """Send what is new, changed or gone; the future is done with Envoy's answer.

        ``None`` where nothing had to be sent.
        """
        # gRPC takes one message at a time, and Envoy may ask while a change is sent.
        async with self._turn:
            if self._over or url not in self._subscribed:
                return None
            names = self._subscribed[url]
            visible = {
                n: item for n, item in self._wanted[url].items() if names is None or n in names
            }
            sent = self._sent[url]
            changed = [item for n, item in visible.items() if sent.get(n) != item.version]
            removed = [n for n in sent if n not in visible]
            if not changed and not removed and url in self._acknowledged:
                return None
            self._nonce += 1
            nonce = str(self._nonce)
            wait: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
            self._waits[nonce] = (url, wait)
            self._sent[url] = {n: item.version for n, item in visible.items()}
            try:
                await self._context.write(xds.update(url, nonce, changed, removed))
            except grpc.aio.BaseError as error:
                log.info("an Envoy went away while it was told of a change: %s", error)
                self.gone()
            return wait

    def has_acknowledged(self, url: str) -> bool:
        """Whether Envoy has taken some configuration of this type."""
        return url in self._acknowledged

    def gone(self) -> None:
        """The stream is over: nobody need wait for it."""
        self._over = True
        for _, wait in self._waits.values():
            if not wait.done():
                wait.set_result(None)


def by_name(items: Iterable[Encoded]) -> dict[str, Encoded]:
    """Resources by their names."""
    return {item.name: item for item in items}
