"""How a configuration becomes live, or not: with the real control plane and an Envoy that says
what a test tells it to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from envoy.service.discovery.v3.discovery_pb2 import (
    DeltaDiscoveryRequest,
    DeltaDiscoveryResponse,
)

from prism.resources import Problem, Severity
from prism.routing.catalog import Predictor
from prism.serve import configuration as configurations
from prism.serve import rollout as rollouts
from prism.serve.ads import Ads
from prism.serve.budget import RetryBudgets
from prism.serve.configuration import Configuration
from prism.serve.conversations import Conversations
from prism.serve.credentials import Credentials
from prism.serve.envoy_admin import EnvoyAdmin
from prism.serve.folder import load
from prism.serve.health import HealthTracker
from prism.serve.keys import KeyTracker
from prism.serve.processor import Processor
from prism.serve.racing import RaceLedger
from prism.serve.recent import Recent
from prism.serve.rollout import Rollout
from prism.serve.snapshot_file import SnapshotFile
from prism.serve.source import BrokenConfiguration, Offer, Origin
from prism.wire import xds

from .tables import BALANCED, CODE, catalog, table

DEMO = Path(__file__).parents[2] / "examples" / "demo"
KEY = "demo-secret-value"


class Envoy:
    """The far end of an ADS stream. It refuses while ``refusal`` says why."""

    def __init__(self) -> None:
        self.refusal = ""
        self.clusters: set[str] = set()
        self.changed = asyncio.Condition()
        self._requests: asyncio.Queue[Any] = asyncio.Queue()
        for url in (xds.CLUSTER, xds.ROUTES, xds.SECRET):
            self._requests.put_nowait(DeltaDiscoveryRequest(type_url=url))

    async def read(self) -> Any:
        return await self._requests.get()

    async def write(self, data: bytes) -> None:
        sent = DeltaDiscoveryResponse.FromString(data)
        answer = DeltaDiscoveryRequest(type_url=sent.type_url, response_nonce=sent.nonce)
        if self.refusal and sent.type_url == xds.CLUSTER:
            answer.error_detail.message = self.refusal
        elif sent.type_url == xds.CLUSTER:
            async with self.changed:
                self.clusters |= {resource.name for resource in sent.resources}
                self.clusters -= set(sent.removed_resources)
                self.changed.notify_all()
        self._requests.put_nowait(answer)

    def close(self) -> None:
        self._requests.put_nowait(grpc.aio.EOF)


def demo_keys(demo: Offer) -> list[str]:
    """In the order of the table's providers."""
    (table,) = demo.catalog.tables.values()
    return [credential.key for one in table.providers.values() for credential in one.credentials]


class Source:
    """Offers what a test puts in, and keeps what became of it."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Offer | BrokenConfiguration] = asyncio.Queue()
        self.answers: list[str] = []
        self.answered = asyncio.Condition()

    async def offers(self) -> AsyncIterator[Offer | BrokenConfiguration]:
        while True:
            yield await self.queue.get()

    async def answer(self, offered: Offer | BrokenConfiguration, refusal: str) -> None:
        async with self.answered:
            self.answers.append(refusal)
            self.answered.notify_all()

    def status(self) -> dict[str, Any]:
        return {}

    async def until(self, number: int) -> list[str]:
        """The answers, once there are so many."""
        async with asyncio.timeout(30), self.answered:
            await self.answered.wait_for(lambda: len(self.answers) >= number)
            return list(self.answers)


class Unasked:
    """A classifier that nobody asks here."""

    def at_once(self, texts: Sequence[str]) -> Any:
        raise AssertionError

    async def second(self, text: str, deadline_ms: float, otherwise: Any) -> Any:
        raise AssertionError


class Parts:
    """A control plane with one Envoy, whose rollout is under test."""

    def __init__(self, folder: Path, keys: Path) -> None:
        self.envoy = Envoy()
        self.ads = Ads()
        races, resting = RaceLedger(lambda: 0.0), KeyTracker(lambda: 0.0)
        health, budgets = HealthTracker(lambda: 0.0), RetryBudgets(lambda: 0.0)
        talks = Conversations(lambda: 0.0)
        self.processor = Processor(Unasked(), health, Recent(), resting, races, budgets, talks)
        envoy = EnvoyAdmin(folder / "no-envoy.sock")
        self.configuration = Configuration(self.ads, self.processor, "", envoy)
        self.last_good = SnapshotFile(folder / "last-good", Origin.LAST_GOOD)
        credentials = Credentials(keys, {})
        self.rollout = Rollout(self.configuration, credentials, self.last_good)

    def authorization(self) -> str | None:
        """The header of some request now."""
        assert self.processor.live is not None
        targets = self.processor.live.targets.values()
        target = next(t for t in targets if t.provider == "acorn")
        key = target.key("0" * 12 + "f" * 16)
        return None if key is None else key.value


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[Parts]:
    (tmp_path / "keys").mkdir()
    made = Parts(tmp_path, tmp_path / "keys")
    serving = asyncio.create_task(made.ads.stream(None, made.envoy))
    yield made
    made.envoy.close()
    await serving
    await made.configuration.close()


@asynccontextmanager
async def following(parts: Parts) -> AsyncIterator[Source]:
    source = Source()
    task = asyncio.create_task(parts.rollout.follow(source))
    try:
        yield source
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def offer(version: str = "v1", upstream: str = "one") -> Offer:
    """A configuration whose clusters depend on ``upstream``."""
    models = {n: replace(m, upstream_name=f"{n}-{upstream}") for n, m in table().models.items()}
    return Offer(Origin.FOLDER, catalog(tables=(table(models=models),), version=version), [])


async def test_what_envoy_takes_is_live_and_kept(parts: Parts) -> None:
    demo = load(DEMO)
    async with following(parts) as source:
        source.queue.put_nowait(demo)
        assert await source.until(1) == [""]
        source.queue.put_nowait(BrokenConfiguration([]))
        await source.until(2)  # by then the one before has been kept
    assert parts.rollout.version == demo.catalog.version
    status = parts.rollout.status()
    assert (status["source"], status["refusedByEnvoy"]) == ("folder", None)
    # The live configuration's keys are not there.
    lacking = [problem["message"].split(" for ")[0] for problem in status["problems"]]
    assert lacking == [f"no key {name}" for name in demo_keys(demo)]
    kept = parts.last_good.load()
    assert kept is not None
    assert kept.catalog == demo.catalog


async def test_clusters_of_older_plans_go_once_no_attempt_can_start_on_them(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(configurations, "_longest", lambda _: 0.0)
    monkeypatch.setattr(configurations, "_CLEAN_EVERY_S", 0.0)
    monkeypatch.setattr(configurations, "_MARGIN_S", 3600.0)
    seen = []
    for number in range(3):
        await parts.rollout.take(offer(f"v{number}", f"upstream-{number}"))
        assert parts.processor.live is not None
        seen.append(set(parts.processor.live.targets_by_cluster()))
    assert (
        seen[0] | seen[1] | seen[2] == parts.envoy.clusters == parts.processor.live.clusters.keys()
    )
    monkeypatch.setattr(configurations, "_MARGIN_S", 0.0)
    await parts.rollout.take(offer("v3", "upstream-3"))
    last = set(parts.processor.live.targets_by_cluster())
    async with asyncio.timeout(30), parts.envoy.changed:
        # Those that were retired before still have their time.
        await parts.envoy.changed.wait_for(lambda: parts.envoy.clusters == seen[0] | seen[1] | last)
    assert parts.processor.live.clusters.keys() == seen[0] | seen[1] | last


async def test_a_predictor_of_another_classifier_is_told_of(
    parts: Parts, caplog: pytest.LogCaptureFixture
) -> None:
    predictor = Predictor("p", "ab" * 32, {}, {})
    found = catalog(tables=(table(predictor=predictor),))
    assert await parts.rollout.take(Offer(Origin.FOLDER, found, [])) == ""
    assert "table main: its predictor was made with another classifier" in caplog.text


async def test_what_envoy_refuses_is_not_live_and_no_key_is_told(
    parts: Parts, tmp_path: Path
) -> None:
    (tmp_path / "keys" / "acorn-key").write_text(KEY)
    assert await parts.rollout.take(offer()) == ""
    parts.envoy.refusal = f"bad value {KEY} in cluster"
    refusal = await parts.rollout.take(offer("v2", "two"))
    assert refusal == "bad value *** in cluster"
    assert parts.rollout.version == "v1"
    assert parts.rollout.status()["refusedByEnvoy"] == refusal
    # Back to what is live: nothing is refused any more.
    assert await parts.rollout.take(offer()) == ""
    assert parts.rollout.status()["refusedByEnvoy"] is None


async def test_what_cannot_be_made_live_is_refused_and_does_not_end_the_server(
    parts: Parts,
) -> None:
    await parts.rollout.take(offer())
    broken = offer("v2", "two")
    cells = {(CODE, BALANCED): ("nope",)}
    tables = {"main": table(cells=cells)}
    refusal = await parts.rollout.take(
        replace(broken, catalog=replace(broken.catalog, tables=tables))
    )
    assert "no model 'nope'" in refusal
    assert parts.rollout.version == "v1"


async def test_what_envoy_refused_is_tried_again(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollouts, "RETRY_S", 0.01)
    parts.envoy.refusal = "not now"
    async with following(parts) as source:
        source.queue.put_nowait(offer())
        answers = await source.until(2)
        assert all("not now" in answer for answer in answers)
        parts.envoy.refusal = ""
        async with asyncio.timeout(30), source.answered:
            await source.answered.wait_for(lambda: source.answers[-1] == "")
        number = len(source.answers)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1), source.answered:
                await source.answered.wait_for(lambda: len(source.answers) > number)


async def test_a_broken_configuration_is_answered_once_with_every_problem(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollouts, "RETRY_S", 0.01)
    problems = [Problem(Severity.ERROR, "one", "spec.a"), Problem(Severity.ERROR, "two", "spec.b")]
    async with following(parts) as source:
        source.queue.put_nowait(offer())
        source.queue.put_nowait(BrokenConfiguration(problems))
        assert await source.until(2) == ["", "error: spec.a: one\nerror: spec.b: two"]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1), source.answered:
                await source.answered.wait_for(lambda: len(source.answers) > 2)
    assert parts.rollout.version is not None
    said = [problem["message"] for problem in parts.rollout.status()["problems"]]
    # What is live goes on, and so do its problems.
    assert said[:2] == ["one", "two"]
    assert all(message.startswith("no key ") for message in said[2:])


async def test_new_keys_are_used_whatever_became_of_the_last_configuration(
    parts: Parts, tmp_path: Path
) -> None:
    await parts.rollout.take(offer())
    assert parts.authorization() is None
    await parts.rollout.take(BrokenConfiguration([Problem(Severity.ERROR, "broken")]))
    (tmp_path / "keys" / "acorn-key").write_text(KEY)
    await parts.rollout.renew_keys()
    assert parts.authorization() == f"Bearer {KEY}"
