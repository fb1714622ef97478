"""What an outcome teaches of models' health, and how keys are spread."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from prism.exchange.targets import compile_live
from prism.routing.catalog import Credential
from prism.routing.decide import Health, decide
from prism.routing.identify import Caller
from prism.routing.plan import compile_plan
from prism.routing.record import Outcome, Record
from prism.serve.classifying import Answer
from prism.serve.health import FAILURES, HealthTracker
from prism.serve.outcomes import Outcomes
from prism.serve.processor import Processor
from prism.serve.recent import Recent

from .tables import SPORT, catalog, classified, policy, signals, table


class Never:
    """Nothing is classified here."""

    def at_once(self, text: str) -> Answer | None:
        raise AssertionError(text)

    async def classify(self, text: str, deadline_ms: float) -> Answer:
        raise AssertionError(text)


class Setting:
    """A decision for three models (``huge``, ``large``, ``medium``) that awaits its outcome."""

    def __init__(self, **keys: str) -> None:
        found = catalog(policy())
        plan = compile_plan(found)
        self.health = HealthTracker(lambda: 0.0)
        self.recent = Recent()
        processor = Processor(Never(), self.health, self.recent)
        processor.live = compile_live(plan, found, keys)
        self.outcomes = Outcomes(processor, self.recent, self.health)
        asks = signals(mode=SPORT)
        chosen = decide(plan, Caller(None, plan.default_table), asks, classified(), Health())
        self.models = chosen.models
        self.recent.add(Record("id", 0, "v", asks, classified(), Health(), False, chosen))

    def learn(self, **outcome: int) -> None:
        self.outcomes.learn("id", Outcome(**outcome))


def all_keys() -> dict[str, str]:
    names = {model.provider for model in table().models.values()}
    return {f"{name}-key": "secret" for name in names}


@pytest.mark.parametrize(
    ("outcome", "failures"),
    [
        ({"status": 200, "attempts": 1}, 0),
        ({"status": 400, "attempts": 1}, 0),
        ({"status": 200, "attempts": 2}, 1),
        ({"status": 503, "attempts": 1}, 1),
        ({"status": 429, "attempts": 3}, 3),
        ({"status": 408, "attempts": 2}, 2),
        ({"attempts": 1}, 0),  # the client went away: nobody's failure
        ({"attempts": 2}, 1),
        ({}, 0),
    ],
    ids=str,
)
def test_who_failed(outcome: dict[str, int], failures: int) -> None:
    setting = Setting(**all_keys())
    setting.learn(**outcome)
    assert setting.health.failures() == dict.fromkeys(setting.models[:failures], 1)


def test_a_success_clears_and_failures_in_a_row_count() -> None:
    setting = Setting(**all_keys())
    for _ in range(FAILURES - 1):
        setting.learn(status=500, attempts=1)
    setting.learn(status=200, attempts=1)
    assert setting.health.failures() == {}
    for _ in range(FAILURES):
        setting.learn(status=500, attempts=1)
    assert setting.health.now().failing == {setting.models[0]}


def test_a_model_without_its_key_was_not_tried() -> None:
    first = table().models[Setting(**all_keys()).models[0]].provider
    keys = all_keys()
    del keys[f"{first}-key"]
    setting = Setting(**keys)
    setting.learn(status=500, attempts=1)
    (failed,) = setting.health.failures()
    assert table().models[failed].provider != first


def test_keys_are_spread_by_weight() -> None:
    """Those that are there share the requests; a key that is missing gets none."""
    credentials = (Credential("a", 1), Credential("b", 3), Credential("absent", 9))
    made = table()
    owner = replace(next(iter(made.providers.values())), credentials=credentials)
    made = replace(made, providers={**made.providers, owner.name: owner})
    found = catalog(tables=(made,))
    live = compile_live(compile_plan(found), found, {"a": "1", "b": "2"})
    target = next(t for t in live.clusters.values() if t.provider == owner.name)
    spread = Counter(target.authorization(f"{number:028x}") for number in range(400))
    assert spread == {"Bearer 1": 100, "Bearer 2": 300}
