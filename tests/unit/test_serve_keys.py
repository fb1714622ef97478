"""Pools of keys: spread by weight, resting after a refusal, never shown."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import replace

import pytest

from prism.exchange.targets import NONE_RESTS, Live, Target, compile_live
from prism.routing.catalog import Credential
from prism.routing.plan import compile_plan
from prism.serve.keys import LONGEST_RETRY_AFTER_S, KeyTracker
from prism.serve.rest import LONGEST_REST_S

from .clock import Clock
from .tables import catalog, table

SECRETS = {"a": "sk-one", "b": "sk-two", "c": "sk-three"}


def live(secrets: dict[str, str] = SECRETS) -> Live:
    """Every provider has keys a, b, c by the weights 1, 3, 4, and one that is missing."""
    credentials = tuple(Credential(*item) for item in {"lost": 9, "a": 1, "b": 3, "c": 4}.items())
    made = table()
    providers = {n: replace(p, credentials=credentials) for n, p in made.providers.items()}
    found = catalog(tables=(replace(made, providers=providers),))
    return compile_live(compile_plan(found), found, secrets)


class Pool:
    """The keys of one model's provider."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.tracker = KeyTracker(self.clock)
        self.live = live()
        self.tracker.keep(self.live.clusters)
        self.target, self.sibling, *self.strangers = _by_provider(self.live)

    def refuse(self, name: str, status: int = 429, retry_after_s: float | None = None) -> None:
        key = next(key for key in self.target.keys if key.name == name)
        self.tracker.refused(self.target, key, status, retry_after_s, self.live.clusters)

    def used(self, target: Target | None = None) -> dict[str, int]:
        """How often each key is used by 800 requests."""
        target = target or self.target
        keys = [target.key(f"{number:028x}", self.tracker.now()) for number in range(800)]
        return Counter(key.name for key in keys if key is not None)


def _by_provider(live: Live) -> list[Target]:
    """Two targets of one provider, then those of the others."""
    targets = sorted(live.clusters.values(), key=lambda t: t.provider)
    assert targets[0].provider == targets[1].provider != targets[-1].provider
    return [*targets[:2], *(t for t in targets if t.provider != targets[0].provider)]


def test_keys_are_spread_by_weight() -> None:
    assert Pool().used() == {"a": 100, "b": 300, "c": 400}


def test_a_resting_key_s_share_goes_to_the_others_by_weight() -> None:
    pool = Pool()
    pool.refuse("c")
    assert pool.used() == {"a": 200, "b": 600}
    assert pool.used(pool.sibling) == {"a": 100, "b": 300, "c": 400}, "limits are per model"


def test_a_key_that_is_not_taken_at_all_rests_for_the_whole_provider() -> None:
    pool = Pool()
    pool.refuse("c", 401)
    assert "c" not in {**pool.used(), **pool.used(pool.sibling)}
    for stranger in pool.strangers:
        assert pool.used(stranger)["c"] == 400


def test_when_all_rest_the_one_that_is_awake_first_is_used() -> None:
    pool = Pool()
    for name, seconds in {"a": 30.0, "b": 20.0, "c": 40.0}.items():
        assert pool.tracker.soonest_s(pool.target) == 0
        pool.refuse(name, 429, seconds)
    assert pool.tracker.soonest_s(pool.target) == 20
    assert pool.used() == {"b": 800}
    pool.clock.seconds += 20
    assert pool.used() == {"b": 800}
    assert pool.tracker.soonest_s(pool.target) == 0


def test_each_attempt_of_a_request_gets_another_key() -> None:
    target = Pool().target
    for number in range(800):
        keys = [target.key(f"{number:028x}", NONE_RESTS, again) for again in range(3)]
        assert {key.name for key in keys if key is not None} == {"a", "b", "c"}
    assert target.key("0" * 28, NONE_RESTS, 9) is not None, "more attempts than keys"


def test_rests_double_until_the_key_works() -> None:
    pool = Pool()
    rests = []
    for _ in range(7):
        pool.refuse("a")
        pool.refuse("a")  # an answer that was on its way changes nothing
        (shown,) = pool.tracker.shown(pool.live.clusters)
        rests.append(shown["secondsLeft"])
        pool.clock.seconds += float(str(shown["secondsLeft"]))
    assert rests == [10, 20, 40, 80, 160, LONGEST_REST_S, LONGEST_REST_S]
    key = next(key for key in pool.target.keys if key.name == "a")
    pool.tracker.worked(pool.target, key)
    pool.refuse("a")
    assert pool.tracker.shown(pool.live.clusters)[0]["secondsLeft"] == 10


@pytest.mark.parametrize(("asked", "rest"), [(3.0, 3), (1e9, LONGEST_RETRY_AFTER_S)])
def test_a_provider_s_word_on_when_to_come_back(asked: float, rest: float) -> None:
    pool = Pool()
    pool.refuse("a", 429, asked)
    assert pool.tracker.shown(pool.live.clusters)[0]["secondsLeft"] == rest


def test_resting_keys_are_one_object_until_something_changes() -> None:
    pool = Pool()
    assert pool.tracker.now() is NONE_RESTS
    pool.refuse("a")
    before = pool.tracker.now()
    assert pool.tracker.now() is before
    pool.clock.seconds += 10
    assert pool.tracker.now() is NONE_RESTS


def test_a_key_that_was_replaced_rests_no_more() -> None:
    pool = Pool()
    for name in "ab":
        pool.refuse(name)
    pool.tracker.keep(live({**SECRETS, "a": "sk-new"}).clusters)
    assert {key for _, key in pool.tracker.now()} == {"b"}
    pool.tracker.keep({})
    assert pool.tracker.now() is NONE_RESTS


def test_a_key_s_number_is_its_place_whatever_is_missing() -> None:
    target = Pool().target
    assert [key.number for key in target.keys] == [1, 2, 3]
    for key in target.keys:
        assert target.key_numbered(key.number) is key
    assert target.key_numbered(0) is target.key_numbered(None) is None


def test_no_key_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    pool = Pool()
    with caplog.at_level(logging.DEBUG):
        pool.refuse("a", 401)
    shown = repr(pool.target) + caplog.text + repr(pool.tracker.shown(pool.live.clusters))
    assert "the key a " in caplog.text
    assert not [secret for secret in SECRETS.values() if secret in shown]


def test_further_attempts_get_resting_keys_when_no_other_is_left() -> None:
    pool = Pool()
    for name, seconds in {"a": 30.0, "c": 20.0}.items():
        pool.refuse(name, 429, seconds)
    resting = pool.tracker.now()
    found = [pool.target.key("0" * 28, resting, again) for again in range(4)]
    assert [key.name for key in found if key is not None] == ["b", "c", "a", "a"]
    pool.refuse("b", 429, 25.0)
    resting = pool.tracker.now()
    found = [pool.target.key("0" * 28, resting, again) for again in range(3)]
    assert [key.name for key in found if key is not None] == ["c", "b", "a"]
