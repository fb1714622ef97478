"""The control plane towards one Envoy that answers as a test tells it to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from envoy.service.discovery.v3.discovery_pb2 import (
    DeltaDiscoveryRequest,
    DeltaDiscoveryResponse,
)

from prism.serve.ads import Ads, Refused
from prism.wire import xds
from prism.wire.xds import Encoded


class Envoy:
    """The far end of a stream. Like gRPC it fails where two messages are sent at a time."""

    def __init__(self, *, away: bool = False) -> None:
        self.away = away
        self.sent: list[DeltaDiscoveryResponse] = []
        self.refusal = ""
        self._requests: asyncio.Queue[Any] = asyncio.Queue()
        self._writing = False

    async def read(self) -> Any:
        return await self._requests.get()

    async def write(self, data: bytes) -> None:
        if self.away:
            raise grpc.aio.UsageError("RPC already finished.")
        assert not self._writing, "two messages at a time"
        self._writing = True
        for _ in range(5):  # others get their turns while it is on its way
            await asyncio.sleep(0)
        self._writing = False
        message = DeltaDiscoveryResponse.FromString(data)
        self.sent.append(message)
        answer = DeltaDiscoveryRequest(type_url=message.type_url, response_nonce=message.nonce)
        answer.error_detail.message = self.refusal
        if not self.refusal:
            answer.ClearField("error_detail")
        self._requests.put_nowait(answer)

    def subscribe(self, url: str, *names: str) -> None:
        request = DeltaDiscoveryRequest(type_url=url, resource_names_subscribe=names)
        self._requests.put_nowait(request)

    async def until_sent(self, number: int) -> None:
        """Wait until so many messages have come and were answered."""
        async with asyncio.timeout(30):
            while len(self.sent) < number or not self._requests.empty():  # noqa: ASYNC110 - a test
                await asyncio.sleep(0)
            await asyncio.sleep(0)

    def close(self) -> None:
        self._requests.put_nowait(grpc.aio.EOF)

    def names(self, url: str) -> list[list[str]]:
        """The names in each message of a type."""
        return [[r.name for r in m.resources] for m in self.sent if m.type_url == url]


@asynccontextmanager
async def connected(ads: Ads, envoy: Envoy) -> AsyncIterator[None]:
    serving = asyncio.create_task(ads.stream(None, envoy))
    await asyncio.sleep(0)
    try:
        yield
    finally:
        envoy.close()
        await serving


def resources(url: str, *names: str, version: str = "1") -> dict[str, dict[str, Encoded]]:
    return {url: {name: Encoded(url, name, version, b"") for name in names}}


async def test_a_change_and_a_question_at_the_same_time_are_sent_one_by_one() -> None:
    ads, envoy = Ads(), Envoy()
    await ads.publish(resources(xds.CLUSTER, "a"))
    async with connected(ads, envoy):
        envoy.subscribe(xds.CLUSTER)
        envoy.subscribe(xds.ROUTES, "gateway")
        for version in range(10):
            clusters = resources(xds.CLUSTER, "a", "b", version=f"c{version}")
            routes = resources(xds.ROUTES, "gateway", version=f"r{version}")
            await asyncio.gather(ads.publish(clusters), ads.publish(routes))
    assert ads.connected == 0


async def test_routes_that_nobody_has_published_are_waited_for() -> None:
    ads, envoy = Ads(), Envoy()
    async with connected(ads, envoy):
        envoy.subscribe(xds.CLUSTER)
        envoy.subscribe(xds.ROUTES, "gateway")
        await ads.publish(resources(xds.CLUSTER, "a"))
        assert envoy.names(xds.ROUTES) == []
        assert not ads.acknowledged.is_set(), "an Envoy without routes can't serve"
        await ads.publish(resources(xds.ROUTES, "gateway"))
        await asyncio.wait_for(ads.acknowledged.wait(), 30)
        assert envoy.names(xds.ROUTES) == [["gateway"]]
    assert not ads.acknowledged.is_set()


async def test_an_envoy_that_goes_away_meanwhile_is_no_obstacle() -> None:
    ads, gone, there = Ads(), Envoy(), Envoy()
    async with connected(ads, gone), connected(ads, there):
        for envoy in (gone, there):
            envoy.subscribe(xds.CLUSTER)
        await ads.publish(resources(xds.CLUSTER, "a"))
        await gone.until_sent(1)
        await there.until_sent(1)
        gone.away = True
        await asyncio.wait_for(ads.publish(resources(xds.CLUSTER, "b")), 5)
        assert there.names(xds.CLUSTER) == [["a"], ["b"]]


async def test_what_is_refused_is_taken_back() -> None:
    ads, envoy = Ads(), Envoy()
    async with connected(ads, envoy):
        envoy.subscribe(xds.CLUSTER)
        await ads.publish(resources(xds.CLUSTER, "a"))
        await envoy.until_sent(1)
        envoy.refusal = "no"
        with pytest.raises(Refused, match=r"^no$"):
            await ads.publish(resources(xds.CLUSTER, "b"))
        envoy.refusal = ""
        await ads.publish(resources(xds.CLUSTER, "c"))
    assert envoy.names(xds.CLUSTER) == [["a"], ["b"], ["a"], ["c"]]
