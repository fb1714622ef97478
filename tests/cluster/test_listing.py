"""Listings of the operator's client on a real API server."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from kubernetes_asyncio.client import ApiException

from prism.resources import PROJECT_POLICY
from prism_operator.api import Resources, connect
from prism_operator.inventory import Inventory
from prism_operator.watching import Watch

from .documents import policy
from .kube import Kube
from .operating import Site

pytestmark = pytest.mark.cluster

NUMBER = 30


@pytest.fixture
def site(kube: Kube, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    made = Site(kube, tmp_path)
    made.apply(*(policy(f"p-{number}") for number in range(NUMBER)))
    monkeypatch.setenv("KUBECONFIG", str(made.kubeconfig))
    return made


async def test_the_servers_memory_tells_what_its_store_does(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prism_operator.api._PAGE", 7)
    async with connect() as client:
        resources = Resources(client)
        stored = await resources.list(PROJECT_POLICY, site.namespace)
        newest = max(int(d["metadata"]["resourceVersion"]) for d in stored.documents)
        cached = await resources.list_cached(PROJECT_POLICY, site.namespace, newest)
        anything = await resources.list_cached(PROJECT_POLICY, site.namespace, 0)
        assert len(stored.documents) == NUMBER
        assert cached.documents == stored.documents
        assert cached.version >= newest
        assert len(anything.documents) <= NUMBER
        # What it cannot know yet it does not make up.
        with pytest.raises(ApiException):
            await resources.list_cached(PROJECT_POLICY, site.namespace, newest + 10**9)


async def test_a_memory_that_lags_behind_is_not_waited_for(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connect() as client:
        inventory, changes = Inventory(), list[None]()
        watch = Watch(
            Resources(client),
            inventory,
            (site.namespace,),
            lambda: changes.append(None),
            asyncio.Event(),
        )
        monkeypatch.setattr(inventory, "newest", lambda _: 10**12)
        await watch._list_again()
        assert len(inventory) == NUMBER
        assert changes
