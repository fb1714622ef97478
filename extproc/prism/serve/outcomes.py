"""The access log service: joins what became of requests to their decisions, and to health."""

from __future__ import annotations

from typing import Any

import grpc

from prism.envoy.routes import RETRIABLE_STATUS
from prism.routing.record import Outcome
from prism.serve.health import HealthTracker
from prism.serve.processor import Processor
from prism.serve.recent import Recent
from prism.wire import access_log


class Outcomes:
    """Receives Envoy's access log."""

    def __init__(self, processor: Processor, recent: Recent, health: HealthTracker) -> None:
        self._processor = processor
        self._recent = recent
        self._health = health

    async def stream(self, _: object, context: Any) -> bytes:
        """One stream of entries."""
        while (message := await context.read()) is not grpc.aio.EOF:
            self._finished(message)
        return access_log.DONE

    def _finished(self, message: Any) -> None:
        for entry in access_log.finished(message):
            if entry.decision_id is None:
                continue
            self._recent.join(entry.decision_id, entry.outcome)
            self.learn(entry.decision_id, entry.outcome)

    def learn(self, decision_id: str, outcome: Outcome) -> None:
        """Learn of health: models tried before the last failed; the last one's status counts.

        An outcome without a status says nothing of the last: its client went away.
        """
        tried = self._tried(decision_id)[: outcome.attempts or 0]
        for model in tried[:-1]:
            self._health.failed(model)
        if tried and outcome.status is not None:
            failed = outcome.status >= 500 or outcome.status in RETRIABLE_STATUS
            (self._health.failed if failed else self._health.succeeded)(tried[-1])

    def _tried(self, decision_id: str) -> list[str]:
        """The models of a decision in the order of its attempts: those whose key is there."""
        record, live = self._recent.get(decision_id), self._processor.live
        if record is None or live is None:
            return []
        decision = record.decision
        targets = {name: live.targets.get((decision.table, name)) for name in decision.models}
        return [n for n, target in targets.items() if target is None or target.missing_key is None]
