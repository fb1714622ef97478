"""A release of the chart between simulated providers and clients: what the tests on it share."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from tests.gateway import config
from tests.gateway.conftest import urls
from tests.gateway.running import until

from prism.providers import SimulatedProviders

from .release import GatewayPod, Release

TASKS = ("simple", "code", "reasoning", "complex")


def table(providers: SimulatedProviders, model: str, **spec: Any) -> dict[str, Any]:
    """A table that sends everything to one model."""
    cells = {task: {mode: [model] for mode in ("eco", "balanced", "sport")} for task in TASKS}
    return config.table(urls(providers), cells=cells, **spec)


CLIENT, EURO, _ = config.policies()


def answered_by(gateway: GatewayPod, key: str = config.CLIENT_KEY) -> str | None:
    """The model that answers a request, or nothing where it is refused or nobody listens."""
    try:
        answer = gateway.ask(key)
    except httpx.TransportError:
        return None
    return answer.headers.get("x-prism-model") if answer.status_code == 200 else None


def until_answered(gateway: GatewayPod, model: str, key: str = config.CLIENT_KEY) -> None:
    """Wait until a project's requests go to a model. Readiness says nothing of its policy, which
    may go live a moment after the table."""
    until(lambda: answered_by(gateway, key) == model, f"{model} to answer at {gateway.name}")


def conditions(release: Release, kind: str, name: str) -> dict[str, dict[str, Any]]:
    """The conditions of a resource that are about its newest generation."""
    found = release.get(kind, name)
    return {
        condition["type"]: condition
        for condition in found.get("status", {}).get("conditions", ())
        if condition["observedGeneration"] == found["metadata"]["generation"]
    }


def until_programmed(release: Release, kind: str, name: str) -> None:
    until(
        lambda: conditions(release, kind, name).get("Programmed", {}).get("status") == "True",
        f"{kind}/{name} to be programmed",
    )


def until_counted(release: Release, kind: str, name: str, replicas: str) -> None:
    """Wait until the status counts all replicas, which it does once they have calmed down."""
    until(
        lambda: release.get(kind, name).get("status", {}).get("replicas") == replicas,
        f"{kind}/{name} to be at {replicas}",
    )


def stored_version(release: Release) -> str:
    """The version of the stored snapshot; empty where there is none."""
    template = r"jsonpath={.metadata.annotations.routing\.prism\.dev/snapshot}"
    return release.kubectl("get", "cm", "prism-snapshot", "-o", template, check=False).strip()


@contextmanager
def load(gateway: GatewayPod) -> Iterator[list[int]]:
    """Requests to a gateway for the time of the block; gives their statuses, 0 for none."""
    over = threading.Event()
    statuses: list[int] = []

    def send() -> None:
        while not over.is_set():
            try:
                statuses.append(gateway.ask(config.CLIENT_KEY).status_code)
            except httpx.TransportError:
                statuses.append(0)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield statuses
    finally:
        over.set()
        thread.join()
    assert len(statuses) > 3
