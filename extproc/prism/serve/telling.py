"""Tells the outside what became of requests: counts them, and has spans and events sent.

Called when a request is over and by nothing on its way.
"""

from __future__ import annotations

from collections.abc import Mapping

from prism.exchange.targets import Live, Target
from prism.routing.catalog import Model, Table, Task
from prism.routing.record import Outcome, Record
from prism.serve.processor import Processor
from prism.telemetry.metrics import Metrics
from prism.telemetry.price import Price, baselines, price_of
from prism.telemetry.sending import Sending
from prism.telemetry.told import Told
from prism.wire.attempts_log import FailedAttempt
from prism.wire.gateway_log import Finished


class Telling:
    """What is told; ``sending`` of ``None`` sends nothing."""

    def __init__(self, processor: Processor, sending: Sending | None = None) -> None:
        self.metrics = Metrics()
        self.sending = sending
        self._processor = processor
        self._priced_for: Live | None = None
        self._best: dict[str, Mapping[Task, Model]] = {}
        """Baselines, by table, of the configuration that is live."""

    def finished(self, entry: Finished, record: Record) -> None:
        """A request is over, and this was its decision."""
        live, decision = self._processor.live, record.decision
        table = None if live is None else live.plan.tables.get(decision.table)
        price = None if table is None else self._price(table, decision.task, entry.outcome)
        self.metrics.finished(entry, record, price)
        sending, trace = self.sending, entry.trace
        if sending is not None and sending.wants(sampled=trace is not None):
            generation = None if table is None else table.generation
            over_ns = int(entry.at * 1e9) if trace is None else trace.over_ns
            sending.put(Told(trace, record, entry.outcome, price, generation, over_ns))

    def _price(self, table: Table, task: Task, outcome: Outcome) -> Price | None:
        live = self._processor.live
        if live is not self._priced_for:
            self._priced_for, self._best = live, {}
        best = self._best.get(table.name)
        if best is None:
            best = self._best[table.name] = baselines(table)
        return price_of(table, task, outcome, best)

    def failed(self, attempt: FailedAttempt, target: Target) -> None:
        """An attempt at ``target`` failed."""
        self.metrics.failed(attempt, target.model, target.provider)
