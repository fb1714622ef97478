"""What Envoy's logs teach of models and keys."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import grpc
import pytest
from envoy.data.accesslog.v3.accesslog_pb2 import HTTPAccessLogEntry
from envoy.service.accesslog.v3.als_pb2 import StreamAccessLogsMessage

from prism.envoy.names import ATTEMPTS
from prism.exchange.headers import cluster_header
from prism.exchange.targets import Target, compile_live
from prism.routing.bounds import Budget, Period, WhenSpent
from prism.routing.catalog import Credential
from prism.routing.decide import Health, decide
from prism.routing.identify import Caller
from prism.routing.plan import compile_plan
from prism.routing.racing import Race
from prism.routing.record import Record
from prism.serve.budget import RetryBudgets
from prism.serve.classifying import Answer
from prism.serve.conversations import Conversations
from prism.serve.health import FAILURES
from prism.serve.learning import Learning
from prism.serve.outcomes import Outcomes
from prism.serve.processor import Processor
from prism.serve.racing import RaceLedger
from prism.serve.recent import Recent
from prism.serve.telling import Telling

from .clock import Clock
from .gateway_lines import Line, sent, usage
from .tables import SPORT, catalog, classified, policy, signals, table


class Never:
    """Nothing is classified here."""

    def at_once(self, texts: Sequence[str]) -> list[tuple[Answer, bool]]:
        raise AssertionError(texts)

    async def second(self, text: str, deadline_ms: float, otherwise: Answer) -> Answer:
        raise AssertionError(text)


class Log:
    """A stream of the log of attempts, as gRPC gives it."""

    def __init__(self, *entries: HTTPAccessLogEntry) -> None:
        self._messages = []
        for entry in entries:
            self._messages.append(StreamAccessLogsMessage())
            self._messages[-1].http_logs.log_entry.append(entry)

    async def read(self) -> Any:
        return self._messages.pop(0) if self._messages else grpc.aio.EOF


class Setting:
    """A decision for several models that awaits its outcome. ``first``, its first model, has a
    pool of keys, ``pool`` their weights; ``second`` has the one key ``only``."""

    def __init__(self, pool: tuple[int, ...] = (1,), race: bool = False) -> None:
        made = table()
        asks = signals(mode=SPORT, stream=True)
        plan = compile_plan(catalog(tables=(made,)))
        caller = Caller(None, plan.default_table)
        chosen = decide(plan, caller, asks, classified(), Health())
        chosen = replace(chosen, race=race)
        self.first, self.second, *_ = chosen.models
        owner = made.providers[made.models[self.first].provider]
        keys = tuple(Credential(f"k{n}", weight) for n, weight in enumerate(pool))
        owner = replace(owner, credentials=keys)
        made = replace(made, providers={**made.providers, owner.name: owner})
        found = catalog(tables=(made,))
        secrets = {credential.key: f"secret of {credential.key}" for credential in keys}
        others = {f"{name}-key": "secret" for name in made.providers}
        self.clock = Clock()
        self.learning = Learning.beginning(self.clock)
        self.recent = Recent()
        races = RaceLedger(self.clock)
        self.processor = processor = Processor(
            Never(),
            self.learning.health,
            self.recent,
            self.learning.keys,
            races,
            RetryBudgets(self.clock),
            Conversations(self.clock),
        )
        self.live = processor.live = compile_live(compile_plan(found), found, {**secrets, **others})
        self.telling = Telling(processor)
        self.outcomes = Outcomes(processor, self.recent, self.learning, self.telling)
        self.recent.add(Record("id", 0, "v", asks, classified(), Health(), race, chosen))

    def target(self, model: str) -> Target:
        return next(t for t in self.live.clusters.values() if t.model == model)

    def told(self, *entries: HTTPAccessLogEntry) -> None:
        """The log of attempts tells of these, and ends."""
        asyncio.run(self.outcomes.attempts(None, Log(*entries)))

    def over(self, *lines: Line) -> None:
        """The gateway's log tells of these, and the server ends."""

        async def receive() -> None:
            await self.outcomes.requests(sent(*lines), None)
            self.outcomes.close()

        asyncio.run(receive())

    def fail(self, model: str, status: int | None, retry_after: str = "", key: int = 0) -> None:
        """One failed attempt, in Envoy's words."""
        entry = HTTPAccessLogEntry()
        entry.common_properties.upstream_cluster = self.target(model).cluster
        entry.request.request_id = f"id.{key}"
        if status is not None:
            entry.response.response_code.value = status
        if retry_after:
            entry.response.response_headers["retry-after"] = retry_after
        self.told(entry)

    def finish(self, line: Line) -> None:
        self.clock.seconds += 1
        self.over({"decision_id": "id", **line})

    @property
    def failures(self) -> dict[str, int]:
        return self.learning.health.failures()

    @property
    def resting(self) -> set[str]:
        return {str(key["key"]) for key in self.learning.keys.shown(self.live.clusters)}


def answered(model: str, status: int = 200, attempts: int = 1, key: int = 0) -> Line:
    return {
        "status": str(status),
        "model": model,
        "attempts": str(attempts),
        "request_id": f"id.{key}",
    }


@pytest.mark.parametrize("status", [500, 503, 529, 408, 429, 401, 403, None])
def test_a_failed_attempt_counts_against_its_model(status: int | None) -> None:
    setting = Setting()
    setting.fail(setting.first, status)
    assert setting.failures == {setting.first: 1}


@pytest.mark.parametrize("status", [200, 400, 404, 422])
def test_an_answer_heals_the_model_that_gave_it(status: int) -> None:
    setting = Setting()
    for _ in range(FAILURES):
        setting.fail(setting.first, 500)
        setting.fail(setting.second, 500)
    setting.finish(answered(setting.second, status, attempts=2))
    assert setting.learning.health.now().failing == {setting.first}


@pytest.mark.parametrize("status", [500, 429, 401, 0])
def test_what_is_no_answer_heals_nobody(status: int) -> None:
    setting = Setting()
    setting.fail(setting.first, 500)
    setting.finish(answered(setting.first, status))
    assert setting.failures == {setting.first: 1}


def test_an_answer_that_was_broken_off_heals_nobody() -> None:
    setting = Setting()
    setting.fail(setting.first, 200)
    setting.finish({**answered(setting.first), "flags": "UC"})
    assert setting.failures == {setting.first: 1}


def said_error(model: str) -> Line:
    """A good status, and then an error in the stream."""
    return {**answered(model), "said_error": "true"}


def test_an_error_in_a_stream_is_a_failure() -> None:
    setting = Setting()
    for _ in range(FAILURES):
        setting.finish(said_error(setting.first))
    assert setting.learning.health.now().failing == {setting.first}


def test_an_error_in_a_stream_that_then_broke_counts_once() -> None:
    setting = Setting()
    setting.fail(setting.first, 200)
    setting.finish({**said_error(setting.first), "flags": "UR"})
    assert setting.failures == {setting.first: 1}


def test_a_client_that_goes_away_is_nobody_s_failure() -> None:
    setting = Setting()
    setting.finish({**answered(setting.first), "flags": "DC"})
    assert setting.failures == {}


def test_the_internal_listener_tells_of_its_attempts_and_the_gateway_of_their_time_limit() -> None:
    setting = Setting()
    entry = HTTPAccessLogEntry()
    entry.common_properties.upstream_cluster = ATTEMPTS
    entry.request.request_headers["x-envoy-attempt-count"] = "2"
    entry.request.request_headers[cluster_header(2)] = setting.target(setting.second).cluster
    entry.response.response_code.value = 503
    setting.told(entry)
    assert setting.failures == {}
    entry.common_properties.response_flags.upstream_request_timeout = True
    setting.told(entry, entry)
    assert setting.failures == {setting.second: 2}


def test_an_attempt_that_found_no_host_is_a_failure() -> None:
    """Envoy names the cluster in a tag only."""
    setting = Setting()
    entry = HTTPAccessLogEntry()
    entry.common_properties.custom_tags["cluster"] = setting.target(setting.first).cluster
    entry.response.response_code.value = 503
    setting.told(entry)
    assert setting.failures == {setting.first: 1}


def test_a_cluster_that_is_gone_teaches_nothing() -> None:
    setting = Setting()
    entry = HTTPAccessLogEntry()
    entry.common_properties.upstream_cluster = "prism/gone/gone/00000000"
    setting.told(entry)
    assert setting.failures == {}


def test_retry_after_is_honoured() -> None:
    setting = Setting()
    setting.fail(setting.first, 429, "42")
    assert setting.learning.health.rests() == {setting.first: 42}


def test_a_pool_takes_the_blame_while_a_key_is_left() -> None:
    setting = Setting(pool=(1, 1))
    setting.fail(setting.first, 429, "30", key=0)
    assert (setting.resting, setting.failures) == ({"k0"}, {})
    setting.fail(setting.first, 429, "20", key=1)
    assert (setting.resting, setting.failures) == ({"k0", "k1"}, {setting.first: 1})
    assert setting.learning.health.rests() == {setting.first: 20}, "until the first is awake"


def test_other_failures_are_no_key_s() -> None:
    setting = Setting(pool=(1, 1))
    setting.fail(setting.first, 503, "30", key=0)
    assert (setting.resting, setting.failures) == (set(), {setting.first: 1})


def test_a_key_that_works_again_starts_over() -> None:
    setting = Setting(pool=(1, 1))
    for _ in range(2):
        setting.fail(setting.first, 403, key=1)
        setting.clock.seconds += 10
    assert setting.resting == {"k1"}, "twice as long the second time"
    setting.finish(answered(setting.first, key=0))
    assert setting.resting == {"k1"}
    setting.finish(answered(setting.first, key=1))
    assert setting.resting == set()


BEGAN_S = 1_700_000_000


def at(entry: HTTPAccessLogEntry, milliseconds: int) -> HTTPAccessLogEntry:
    """The entry, of something that was over so long after a certain time."""
    entry.common_properties.start_time.FromSeconds(BEGAN_S)
    entry.common_properties.duration.FromMilliseconds(milliseconds)
    return entry


def line_at(line: Line, milliseconds: int) -> Line:
    """The line, of a request that was over so long after the same time."""
    return {**line, "came_s": f"{BEGAN_S}.000000000", "total_us": str(1000 * milliseconds)}


def test_what_happened_first_counts_first_whichever_log_tells() -> None:
    setting = Setting(pool=(1, 1))
    setting.finish(line_at(answered(setting.first, key=1), 200))
    refused = HTTPAccessLogEntry()
    refused.common_properties.upstream_cluster = setting.target(setting.first).cluster
    refused.response.response_code.value = 429
    refused.request.request_id = "id.1"
    setting.told(at(refused, 100))
    assert setting.resting == set(), "it has been taken since"
    setting.told(at(refused, 300))
    setting.finish(line_at(answered(setting.first, key=1), 250))
    assert setting.resting == {"k1"}, "it was taken before"
    failed = HTTPAccessLogEntry()
    failed.common_properties.upstream_cluster = setting.target(setting.second).cluster
    failed.response.response_code.value = 500
    setting.finish(line_at(answered(setting.second), 500))
    setting.told(at(failed, 400))
    assert setting.failures == {}
    setting.told(at(failed, 600))
    assert setting.failures == {setting.second: 1}


def timed(model: str, headers_ms: int, attempts: int = 1) -> Line:
    times = {"to_headers_us": str(1000 * headers_ms), "first_byte_us": "2000000"}
    return {**answered(model, attempts=attempts), **times}


def test_time_to_headers_is_learned_and_decided_with() -> None:
    setting = Setting()
    for _ in range(200):
        setting.finish(timed(setting.second, 700, attempts=2))
    assert setting.learning.health.now().first_token_ms == {
        setting.second: pytest.approx(700, rel=0.06)
    }


def test_a_raced_first_model_took_at_least_as_long_as_the_client_waited() -> None:
    setting = Setting(race=True)
    for _ in range(200):
        setting.finish(timed(setting.second, 100, attempts=2))
    assert setting.learning.health.now().first_token_ms == {
        setting.first: pytest.approx(2000, rel=0.06)
    }


def test_what_a_new_configuration_no_longer_names_is_forgotten() -> None:
    setting = Setting()
    setting.fail(setting.first, 429, "42")
    plan = replace(setting.live.plan, tables={})
    setting.processor.live = replace(setting.live, clusters={}, plan=plan)
    setting.over({})
    assert (setting.failures, setting.resting) == ({}, set())


WAITED = policy(budgets=(Budget(Period.MONTH, 10.0, WhenSpent.REFUSE),))


def charged(line: Line, tokens: dict[str, int], race: bool = False) -> float:
    """US dollars that a request costs its budget that was expected to cost 0.5."""
    setting = Setting()
    if race:
        made = table()
        models = tuple(made.models[name] for name in (setting.first, setting.second))
        setting.processor.races.opened("id", Race(made, models, 0, 1000, 100, stream=True))
    spending = setting.processor.spending
    spending.reserve("id", WAITED, "main", 0.5)
    setting.finish({**line, "usage": usage(tokens)})
    (told,) = spending.status()
    assert told["reservedUsd"] == 0
    return float(told["spentUsd"])


def test_budgets_are_charged_what_the_answer_cost() -> None:
    # huge: 10 and 40 US dollars a million, cached tokens 1.
    tokens = {"input": 1000, "output": 100, "cached": 400}
    assert charged(answered("huge"), tokens) == pytest.approx(0.0104)
    assert charged(answered("large"), tokens) == pytest.approx(0.00416)
    assert charged(answered("huge"), {"input": 1000}) == pytest.approx(0.01)  # embeddings


def test_what_is_not_counted_costs_what_was_expected() -> None:
    assert charged(answered("huge"), {}) == 0.5
    assert charged(answered("gone"), {"input": 1000, "output": 100}) == 0.5


@pytest.mark.parametrize("status", [400, 429, 503])
def test_errors_cost_a_budget_nothing(status: int) -> None:
    assert charged(answered("huge", status), {}) == 0
    assert charged(answered("huge", status, attempts=0), {}) == 0


def test_losers_of_a_race_are_charged_too() -> None:
    answer = answered("huge", attempts=2)
    # The second model has read the prompt: 1,000 tokens at 4 US dollars a million.
    cost = charged(answer, {"input": 1000, "output": 100}, race=True)
    assert cost == pytest.approx(0.014 + 0.004)


def test_what_is_over_is_counted() -> None:
    setting = Setting()
    setting.finish({"status": "200", "model": setting.first})
    setting.fail(setting.first, 503)
    metrics = setting.telling.metrics
    assert sum(metrics.requests.values.values()) == 1
    assert list(metrics.failed_attempts.values.values()) == [1]


@pytest.mark.parametrize(("status", "known", "counted"), [(200, True, 0), (403, False, 0)])
def test_prism_s_own_answers_are_no_requests_of_models(
    status: int, known: bool, counted: int
) -> None:
    """A dry run (200), and a caller that was turned away before any decision (403)."""
    setting = Setting()
    setting.over({"status": str(status), "own_decision_id": "id" if known else "other"})
    assert sum(setting.telling.metrics.requests.values.values()) == counted
    assert (setting.recent.joined, setting.recent.lost) == (0, 0)
