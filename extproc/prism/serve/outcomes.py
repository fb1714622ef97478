"""The access log service: joins what became of requests to their decisions, and to health."""

from __future__ import annotations

from typing import Any

import grpc

from prism.envoy.names import ATTEMPT_LOG
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
        """One stream of entries; its first message says of which log."""
        log_name = ""
        while (message := await context.read()) is not grpc.aio.EOF:
            log_name = message.identifier.log_name or log_name
            if log_name == ATTEMPT_LOG:
                self._failed(message)
            else:
                self._finished(message)
        return access_log.DONE

    def _finished(self, message: Any) -> None:
        for entry in access_log.finished(message):
            if entry.decision_id is None:
                continue
            outcome = entry.outcome
            self._recent.join(entry.decision_id, outcome)
            if outcome.model is not None and (outcome.status or 500) < 400:
                self._health.succeeded(outcome.model)

    def _failed(self, message: Any) -> None:
        live = self._processor.live
        for entry in access_log.failed_attempts(message):
            target = None if live is None else live.clusters.get(entry.cluster)
            if target is not None:
                self._health.failed(target.model)
