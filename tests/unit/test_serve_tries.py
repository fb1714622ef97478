"""What a request's record says of each of its attempts, however Envoy's two logs come."""

from __future__ import annotations

import asyncio

import pytest
from envoy.data.accesslog.v3.accesslog_pb2 import HTTPAccessLogEntry

from prism.routing.attempt import Attempt, Result
from prism.routing.record import Outcome

from .gateway_lines import Line, sent
from .test_serve_outcomes import Log, Setting, answered

CAME = 1_800_000_000
ID = "e1-4b2a"
"""What Envoy calls the request."""


def failed(setting: Setting, model: str, began_ms: int, took_ms: int, status: int | None = 503):
    entry = HTTPAccessLogEntry()
    common = entry.common_properties
    common.upstream_cluster = setting.target(model).cluster
    common.start_time.FromMilliseconds(CAME * 1000 + began_ms)
    common.duration.FromMilliseconds(took_ms)
    entry.request.request_id = ID
    if status is None:
        common.response_flags.upstream_request_timeout = True
    else:
        entry.response.response_code.value = status
    return entry


def over(model: str, status: int, attempts: int, took_ms: int = 900) -> Line:
    return {
        **answered(model, status, attempts),
        "decision_id": "id",
        "request_id": ID,
        "provider": "who",
        "came_s": f"{CAME}.000000000",
        "total_us": str(1000 * took_ms),
        "to_headers_us": "300000",
        "first_byte_us": str(1000 * (took_ms - 100)),
    }


def outcome(setting: Setting) -> Outcome:
    record = setting.recent.get("id")
    assert record is not None
    assert record.outcome is not None
    return record.outcome


def lost(setting: Setting, model: str, *more: object) -> Attempt:
    return Attempt(model, setting.target(model).provider, Result.FAILED, *more)  # type: ignore[arg-type]


def test_failures_before_the_answer_in_order() -> None:
    setting = Setting()
    late = failed(setting, setting.first, 4, 2000, None)
    setting.told(late)
    setting.over(over(setting.second, 200, 2, 2900))
    first, second = outcome(setting).tried
    assert first == lost(setting, setting.first, None, "no headers in time", 4.0, 2000.0)
    assert second == Attempt(setting.second, "who", Result.ANSWERED, 200, None, 2500.0, 400.0)


def test_a_request_whose_first_attempt_answers_has_none() -> None:
    setting = Setting()
    setting.over(over(setting.first, 200, 1))
    assert outcome(setting).tried == ()


def test_all_failed() -> None:
    setting = Setting()
    entries = [failed(setting, setting.second, 50, 30, 500), failed(setting, setting.first, 4, 40)]
    setting.told(*entries)
    setting.over(over(setting.second, 500, 2, 90))
    assert outcome(setting).tried == (
        lost(setting, setting.first, 503, None, 4.0, 40.0),
        lost(setting, setting.second, 500, None, 50.0, 30.0),
    )


def test_a_race_has_a_winner_and_others_that_were_cancelled_or_failed() -> None:
    setting = Setting(race=True)
    third = setting.recent.get("id").decision.models[2]  # type: ignore[union-attr]
    setting.told(failed(setting, setting.second, 200, 30))
    setting.over(over(third, 200, 3))
    gone, second, winner = outcome(setting).tried
    assert gone == Attempt(setting.first, "", Result.CANCELLED)
    assert second == lost(setting, setting.second, 503, None, 200.0, 30.0)
    assert (winner.model, winner.result) == (third, Result.ANSWERED)


async def test_news_of_the_end_that_overtakes_news_of_a_failure_waits_for_it() -> None:
    setting = Setting()
    told = asyncio.Event()
    join = setting.recent.join

    def joined(*given: object) -> None:
        join(*given)  # type: ignore[arg-type]
        told.set()

    setting.recent.join = joined  # type: ignore[method-assign]
    await setting.outcomes.requests(sent(over(setting.second, 200, 2)), None)
    assert setting.recent.get("id").outcome is None  # type: ignore[union-attr]
    goes_on, read = asyncio.Event(), asyncio.Event()

    class Open(Log):
        """A log whose stream stays open."""

        async def read(self):
            if not self._messages:
                read.set()
                await goes_on.wait()
            return await super().read()

    log = Open(failed(setting, setting.first, 4, 40))
    stream = asyncio.create_task(setting.outcomes.attempts(None, log))
    await read.wait()
    await told.wait()
    assert [one.result for one in outcome(setting).tried] == [Result.FAILED, Result.ANSWERED]
    goes_on.set()
    await stream


@pytest.mark.parametrize("ends", ["log", "server"])
async def test_what_waits_is_told_when_the_log_of_attempts_or_the_server_ends(ends: str) -> None:
    setting = Setting()
    await setting.outcomes.requests(sent(over(setting.second, 200, 2)), None)
    if ends == "log":
        await setting.outcomes.attempts(None, Log())
    else:
        setting.outcomes.close()
    (only,) = outcome(setting).tried
    assert only.result is Result.ANSWERED


def test_another_request_s_failures_are_not_its_own() -> None:
    setting = Setting()
    entry = failed(setting, setting.first, 4, 40)
    entry.request.request_id = "another"
    setting.told(entry)
    setting.over(over(setting.second, 200, 2))
    assert [one.result for one in outcome(setting).tried] == [Result.ANSWERED]


def test_attempts_of_a_pool_are_called_after_their_decision() -> None:
    setting = Setting(pool=(1, 1))
    entry = failed(setting, setting.first, 4, 40, 429)
    entry.request.request_id = "id.1"
    setting.told(entry)
    setting.over(over(setting.second, 200, 2))
    assert [one.model for one in outcome(setting).tried] == [setting.first, setting.second]
