"""Several keys of one provider: one that is refused rests, the others go on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from prism.providers import Fault, FaultKind, SimulatedProviders

from . import config
from .running import Gateway, chat, until

QUESTION = chat("What is the capital of France?")  # simple, balanced: mini (alpha), then euro
CLIENT = {"authorization": f"Bearer {config.CLIENT_KEY}"}
GOOD, OTHER = config.KEYS["ALPHA_KEY"], "refused-secret"


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """Keys in files; the second one is none that provider alpha takes."""
    folder = tmp_path / "keys"
    folder.mkdir()
    for name, key in {**config.KEYS, "SECOND_KEY": OTHER}.items():
        (folder / name).write_text(key)
    return folder


@pytest.fixture
def pooled(
    own_gateway: Callable[..., Gateway], providers: SimulatedProviders, keys: Path
) -> Gateway:
    urls = {name: providers.url(name) for name in config.PROVIDERS}
    alpha, *others = config.table(urls)["spec"]["providers"]
    alpha["credentials"] = [{"key": "ALPHA_KEY"}, {"key": "SECOND_KEY"}]
    return own_gateway("--credentials", str(keys), providers=[alpha, *others])


def ask(gateway: Gateway, **more: Any) -> httpx.Response:
    url, body = f"{gateway.base_url}/chat/completions", {**QUESTION, **more}
    return httpx.post(url, json=body, headers=CLIENT, timeout=60)


def resting(gateway: Gateway) -> dict[str, int]:
    return {found["key"]: found["status"] for found in gateway.status()["restingKeys"]}


def used(providers: SimulatedProviders) -> list[str]:
    """The keys that alpha was sent, in order."""
    asked = [request for request in providers.requests if request.provider == "alpha"]
    headers = [{name.lower(): value for name, value in request.headers} for request in asked]
    return [found["authorization"].removeprefix("Bearer ") for found in headers]


def test_a_key_that_is_refused_rests_and_the_others_go_on(
    pooled: Gateway, providers: SimulatedProviders, keys: Path
) -> None:
    while OTHER not in used(providers):
        answer = ask(pooled)
        assert answer.status_code == 200, "another model answers meanwhile"
    assert answer.headers["x-prism-model"] == "euro"
    until(lambda: resting(pooled) == {"SECOND_KEY": 401}, "the key to rest")
    before = len(used(providers))
    for _ in range(10):
        assert ask(pooled).headers["x-prism-attempts"] == "1"
    assert set(used(providers)[before:]) == {GOOD}
    assert pooled.status()["failingModels"] == [], "the model is well: its provider takes a key"
    seen = pooled.log.read_text() + httpx.get(f"{pooled.admin}/status").text
    assert "SECOND_KEY" in seen
    assert not [secret for secret in (GOOD, OTHER) if secret in seen]
    # A new key in its place need not wait.
    config.replace(keys / "SECOND_KEY", GOOD)
    until(lambda: ask(pooled) and not resting(pooled), "the new key to be used")


def test_a_request_for_one_model_tries_another_key(
    pooled: Gateway, providers: SimulatedProviders
) -> None:
    while OTHER not in used(providers):
        answer = ask(pooled, model="mini")
        assert answer.status_code == 200
        assert answer.headers["x-prism-model"] == "mini"
    assert answer.headers["x-prism-attempts"] == "2"
    assert used(providers)[-2:] == [OTHER, GOOD]
    first, second = providers.requests[-2:]
    assert (first.path, first.body) == (second.path, second.body)


def test_a_limited_key_rests_as_long_as_the_provider_says(
    pooled: Gateway, providers: SimulatedProviders
) -> None:
    limited = Fault(kind=FaultKind.STATUS, status=429, retry_after=600, times=1)
    providers.fault("alpha", limited)
    assert ask(pooled).headers["x-prism-model"] == "euro"
    (key,) = used(providers)
    name = {GOOD: "ALPHA_KEY", OTHER: "SECOND_KEY"}[key]
    until(lambda: resting(pooled) == {name: 429}, "the key to rest")
    (found,) = pooled.status()["restingKeys"]
    assert (found["provider"], found["model"]) == ("alpha", "mini")
    assert 500 < found["secondsLeft"] <= 600
    assert pooled.status()["failingModels"] == []
    ask(pooled)
    assert used(providers)[-1] != key


def test_a_key_that_is_not_there_is_a_problem_that_names_it(pooled: Gateway, keys: Path) -> None:
    def problems() -> list[tuple[str, str, str]]:
        found = pooled.status()["problems"]
        shown = [(one["resource"], one["path"], one["message"]) for one in found]
        return [one for one in shown if one[2].startswith("no key")]

    assert problems() == []
    (keys / "SECOND_KEY").unlink()
    place = "spec.providers[0].credentials[1].key"
    said = "no key SECOND_KEY for provider alpha: its others are used"
    until(lambda: problems() == [("RoutingTable/default", place, said)], "the problem to show")
    config.replace(keys / "SECOND_KEY", GOOD)
    until(lambda: problems() == [], "the problem to be gone")


def test_when_every_key_is_refused_the_model_goes_last(
    pooled: Gateway, providers: SimulatedProviders
) -> None:
    providers.fault("alpha", Fault(kind=FaultKind.STATUS, status=403))
    while len(resting(pooled)) < 2:
        assert ask(pooled).headers["x-prism-model"] == "euro"
    until(lambda: pooled.status()["failingModels"] == ["mini"], "mini to go last")
    assert ask(pooled).headers["x-prism-attempts"] == "1"
    # Asked for all the same, it is tried: a rest is no refusal.
    providers.clear_faults()
    assert ask(pooled, model="mini").status_code == 200

    # Its answer and the refusal of the other key before it come in two logs, in either order.
    def well() -> bool:
        return ask(pooled, model="mini").status_code == 200 and not pooled.status()["failingModels"]

    until(well, "mini to be well")
