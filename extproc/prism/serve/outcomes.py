"""The access log service: joins what became of requests to their decisions, and learns from it.

Failures are told by the log of attempts as soon as they happen, successes by the gateway's log
once a request is over. So are errors that a stream ends with, after a good status.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import Any

import grpc

from prism.exchange.targets import KEY_STATUS, Live, Target, is_failure
from prism.routing.racing import Race
from prism.routing.record import Outcome, Record, spent_usd
from prism.serve.learning import Learning
from prism.serve.processor import Processor
from prism.serve.recent import Recent
from prism.serve.telling import Telling
from prism.serve.tries import Tries, answered
from prism.wire import attempts_log, gateway_log
from prism.wire.attempts_log import FailedAttempt
from prism.wire.gateway_log import Finished

_FAILED = 400
AT_A_TIME = 8
"""Entries of a message between which requests get their turn: it may bring hundreds."""


class Outcomes:
    """Receives Envoy's access logs."""

    def __init__(
        self, processor: Processor, recent: Recent, learning: Learning, telling: Telling
    ) -> None:
        self._processor = processor
        self._recent = recent
        self._learning = learning
        self._telling = telling
        self._tries = Tries()
        self._live: Live | None = None
        self._priors: dict[str, float] = {}

    async def attempts(self, _: object, context: Any) -> bytes:
        """A stream of the log of attempts."""
        try:
            while (message := await context.read()) is not grpc.aio.EOF:
                self._renew()
                for failure in attempts_log.failed_attempts(message):
                    self.failed(failure)
        finally:
            # Envoy or this server ends: nothing more is told of what waits.
            self._tries.flush()
        return attempts_log.DONE

    async def requests(self, message: Any, _: object) -> bytes:
        """Some entries of the gateway's log."""
        self._renew()
        for number, entry in enumerate(gateway_log.finished(message), 1):
            self.finished(entry)
            if not number % AT_A_TIME:
                await asyncio.sleep(0)
        learning = self._learning
        learning.health.measured(learning.latencies.medians(self._priors))
        return gateway_log.DONE

    def close(self) -> None:
        """This server ends: nothing more is told of what waits."""
        self._tries.flush()

    def finished(self, entry: Finished) -> None:
        """A request is over: join it to its decision; who answered well is well."""
        if entry.decision_id is None or (entry.own and not self._refused(entry)):
            return
        outcome, record = entry.outcome, self._recent.decided(entry.decision_id)
        self._tell(entry, record)
        race = self._processor.races.settled(entry.decision_id, outcome)
        self._settle(entry.decision_id, outcome, race)
        if record is None or outcome.model is None or outcome.status is None:
            return
        if entry.said_error and entry.whole:
            # A broken one has failed already, in the log of attempts.
            self._learning.health.failed(outcome.model, at=entry.at)
        elif not is_failure(outcome.status) and entry.whole:
            self._learning.health.succeeded(outcome.model, entry.at)
            self._time(entry, record)
            self._processor.conversations.answered(record, outcome.model)
        if outcome.attempts == 1 and not is_failure(outcome.status):
            self._key_worked(entry, record)

    def _tell(self, entry: Finished, record: Record | None) -> None:
        """Join the outcome to its decision, at once where nothing failed; then tell of it."""
        if record is None or (entry.outcome.attempts == 1 and answered(entry)):
            self._joined(entry, record)
        elif self._tries.complete(entry):
            self._tried(entry, record)
        else:
            self._tries.later(partial(self._tried, entry, record))

    def _tried(self, entry: Finished, record: Record) -> None:
        tried = self._tries.take(entry, record)
        self._joined(replace(entry, outcome=replace(entry.outcome, tried=tried)), record)

    def _joined(self, entry: Finished, record: Record | None) -> None:
        outcome = entry.outcome
        self._recent.join(entry.decision_id or "", outcome, self._cost(record, outcome))
        if record is not None:
            self._telling.finished(entry, record)

    def _settle(self, decision_id: str, outcome: Outcome, race: Race | None) -> None:
        """Charge the budgets that wait for it. What nobody counted costs what was expected, but
        for an answer that is an error: providers do not charge for those."""
        spending, live = self._processor.spending, self._processor.live
        table = spending.table_of(decision_id)
        if table is None:
            return
        usd = None if live is None else spent_usd(live.plan, table, outcome)
        failed = not outcome.attempts or (outcome.status or 0) >= _FAILED
        if usd is None and failed:
            usd = 0.0
        if usd is not None and race is not None and not failed:
            lost = race.waste(outcome.model, outcome.attempts or 0, outcome.first_byte_ms)
            usd += lost.usd
        spending.settle(decision_id, usd)

    def failed(self, attempt: FailedAttempt) -> None:
        """An attempt failed: the model is to blame, or one of its provider's several keys."""
        live, learning = self._processor.live, self._learning
        target = None if live is None else live.clusters.get(attempt.cluster)
        if live is None or target is None:
            return
        self._telling.failed(attempt, target)
        self._tries.failed(attempt, target)
        again_s = attempt.retry_after_s
        key = target.key_numbered(attempt.key_number)
        if key is not None and attempt.status in KEY_STATUS:
            learning.keys.refused(
                target, key, attempt.status or 0, again_s, live.clusters, attempt.at
            )
            if len(target.keys) > 1:
                again_s = learning.keys.soonest_s(target)
                if not again_s:
                    return
        learning.health.failed(target.model, again_s, attempt.at)

    def _cost(self, record: Record | None, outcome: Outcome) -> float | None:
        live = self._processor.live
        if live is None or record is None:
            return None
        return spent_usd(live.plan, record.decision.table, outcome)

    def _refused(self, entry: Finished) -> bool:
        """Whether Prism's own answer is the end of a decision: not of a dry run, nor of a
        request that was turned away before one."""
        known = self._recent.decided(entry.decision_id or "")
        return known is not None and (entry.outcome.status or 0) >= 400

    def _key_worked(self, entry: Finished, record: Record) -> None:
        target = self._target(record, entry.outcome.model or "")
        key = None if target is None else target.key_numbered(entry.key_number)
        if target is not None and key is not None:
            self._learning.keys.worked(target, key, entry.at)

    def _time(self, entry: Finished, record: Record) -> None:
        """Learn how long answers take to begin. A raced first model took at least as long as
        the client waited, whoever won; when the others began is not known."""
        latencies, models = self._learning.latencies, record.decision.models
        streamed, outcome = record.signals.stream, entry.outcome
        if outcome.attempts != 1 and record.decision.race:
            if outcome.first_byte_ms is not None:
                latencies.observe(models[0], outcome.first_byte_ms, streamed=streamed)
        elif entry.to_headers_ms is not None and outcome.model in models:
            latencies.observe(outcome.model, entry.to_headers_ms, streamed=streamed)

    def _target(self, record: Record, model: str) -> Target | None:
        live = self._processor.live
        return None if live is None else live.targets.get((record.decision.table, model))

    def _renew(self) -> None:
        """Forget what the configuration no longer names."""
        live = self._processor.live
        if live is None or live is self._live:
            return
        self._live = live
        self._priors = {
            model.name: model.latency.time_to_first_token_ms
            for table in live.plan.tables.values()
            for model in table.models.values()
        }
        self._learning.health.keep(self._priors)
        self._learning.latencies.keep(self._priors)
        self._learning.keys.keep(live.clusters)
