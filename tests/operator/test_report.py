"""Which statuses are written, in which order, and how often. The API server is stood in for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from prism_operator import report
from prism_operator.conditions import PROGRAMMED, find
from prism_operator.events import Message, Subject
from prism_operator.inventory import Inventory
from prism_operator.metrics import Metrics
from prism_operator.observed import Key
from prism_operator.report import Reporter, Standing
from prism_operator.rollout import Rollout

from .cluster_state import Document, policy, settled, table

MANY = 50


class ApiServer:
    """Keeps what is written; while it is not ``open``, writes take their time."""

    def __init__(self, documents: Mapping[Key, Document]) -> None:
        self._documents = documents
        self.open = asyncio.Event()
        self.begun: list[str] = []
        self.written: list[tuple[str, Mapping[str, Any]]] = []

    async def patch_status(self, key: Key, uid: str, status: Mapping[str, Any]) -> Document:
        self.begun.append(key.name)
        await self.open.wait()
        self.written.append((key.name, status))
        document = self._documents[key]
        version = int(document["metadata"]["resourceVersion"]) + 1000
        document["metadata"]["resourceVersion"] = str(version)
        document["status"] = dict(status)
        assert uid == document["metadata"]["uid"]
        return {**document, "metadata": dict(document["metadata"])}


class Nobody:
    """Takes Events and keeps none."""

    def say(self, subject: Subject, message: Message) -> None:
        """Nothing."""


class Parts:
    """A reporter over some documents, whose settlement replicas are told of."""

    def __init__(self, documents: list[Document]) -> None:
        self.inventory = Inventory()
        self.documents: dict[Key, Document] = {}
        self.rollout = Rollout()
        self.changes = 0
        self._live: Any = None
        self.put(*documents)
        self.server = ApiServer(self.documents)
        self.reporter = Reporter(
            self.server,  # type: ignore[arg-type]
            self.inventory,
            Nobody(),  # type: ignore[arg-type]
            Metrics(),
            self._heard,
        )

    def _heard(self) -> None:
        self.changes += 1

    def put(self, *documents: Document) -> None:
        """Resources as they are now."""
        for one in documents:
            metadata = one["metadata"]
            key = Key(one["kind"], metadata["namespace"], metadata["name"])
            self.documents[key] = one
            self.inventory.put(one)

    def settle(self) -> None:
        """Settle what is there, and hand it out."""
        found = settled(list(self.documents.values()), self._live)
        self._live = found
        contents = {key.label: resource.generation for key, resource in found.live.items()}
        self.rollout.publish(found.version, contents)
        self.standing = (found, {one.key: one for one in self.inventory.all()})
        self.tell()

    def answer(self, name: str) -> None:
        """A replica comes and takes the newest snapshot."""
        self.rollout.connect(name, name, "")
        self.rollout.answer(name, self.rollout.version, "")
        self.tell()

    def tell(self) -> None:
        found, observed = self.standing
        self.reporter.update(Standing(observed, found, self.rollout))


@asynccontextmanager
async def running(parts: Parts) -> AsyncIterator[ApiServer]:
    task = asyncio.create_task(parts.reporter.run())
    try:
        yield parts.server
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110 - the reporter sets no event
            await asyncio.sleep(0.005)


def many(**metadata: Any) -> list[Document]:
    return [table(**metadata), *(policy(f"p-{n}", **metadata) for n in range(MANY))]


async def test_each_status_is_written_once_when_the_replicas_are_there() -> None:
    parts = Parts(many())
    parts.settle()
    parts.answer("gw-0")
    async with running(parts) as server:
        server.open.set()
        await until(lambda: len(server.written) == MANY + 1)
    assert {find(status, PROGRAMMED)["status"] for _, status in server.written} == {"True"}
    assert len({name for name, _ in server.written}) == MANY + 1


async def test_the_newest_change_does_not_wait_behind_the_others() -> None:
    parts = Parts(many())
    parts.settle()
    parts.answer("gw-0")
    async with running(parts) as server:
        await until(lambda: len(server.begun) == report._WRITERS)
        waiting = next(f"p-{n}" for n in range(MANY) if f"p-{n}" not in server.begun)
        parts.put(policy(waiting, {"pins": "Denied"}, generation=2))
        parts.settle()
        parts.rollout.answer("gw-0", parts.rollout.version, "")
        parts.tell()
        key = next(key for key in parts.documents if key.name == waiting)
        queued = parts.reporter._todo
        await until(lambda: key in queued and queued[key][1]["observedGeneration"] == 2)
        server.open.set()
        await until(lambda: len(server.begun) > report._WRITERS)
        assert server.begun[report._WRITERS] == waiting


async def test_a_new_leader_waits_for_the_replicas_that_there_were() -> None:
    """Else all statuses would be written without them, and again for each that comes."""
    before = {"replicas": "2/2", "replicasProgrammed": 2, "replicasTotal": 2}
    parts = Parts([table(status=before), policy("new", status={})])
    parts.settle()
    async with running(parts) as server:
        server.open.set()
        parts.answer("gw-0")
        for _ in range(20):
            await asyncio.sleep(0)
        assert not server.written
        parts.answer("gw-1")
        await until(lambda: len(server.written) == 2)
    assert {status["replicas"] for _, status in server.written} == {"2/2"}


async def test_replicas_that_do_not_come_back_are_not_waited_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(report, "_REUNION_S", 0.05)
    parts = Parts([table(status={"replicasTotal": 3})])
    parts.settle()
    async with running(parts) as server:
        server.open.set()
        await until(lambda: bool(server.written))
    (_, status), *_ = server.written
    assert find(status, PROGRAMMED)["reason"] == "NoReplicas"


async def test_a_restart_over_what_is_as_it_was_writes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(report, "_CALM_S", 0.05)
    parts = Parts(many())
    parts.settle()
    parts.answer("gw-0")
    async with running(parts) as server:
        server.open.set()
        await until(lambda: len(server.written) == MANY + 1)
    again = Parts(list(parts.documents.values()))
    again.settle()
    async with running(again) as server:
        server.open.set()
        again.answer("gw-0")
        again.put(policy("other"))
        again.settle()
        again.rollout.answer("gw-0", again.rollout.version, "")
        again.tell()
        await until(lambda: bool(server.written))
        # Long enough for numbers alone to have been written, too.
        await asyncio.sleep(0.2)
    assert [name for name, _ in server.written] == ["other"]


async def test_a_change_that_the_answer_to_a_status_tells_of_first_is_not_lost() -> None:
    parts = Parts([table("main")])
    parts.settle()
    (key,) = parts.documents
    async with running(parts) as server:
        await until(lambda: server.begun == ["main"])
        # Somebody applies another spec while the status is under way.
        newer = {**parts.documents[key]}
        version = int(newer["metadata"]["resourceVersion"]) + 1
        newer["metadata"] = {
            **newer["metadata"],
            "generation": 2,
            "resourceVersion": str(version),
        }
        watched = {**newer, "metadata": dict(newer["metadata"])}
        parts.documents[key] = newer
        server.open.set()
        await until(lambda: parts.changes == 1)
        observed = parts.inventory.get(key)
        assert observed is not None
        assert observed.generation == 2
        # What the watch says of it now is old news.
        assert not parts.inventory.put(watched)
