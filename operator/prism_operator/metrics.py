"""What the operator counts, in Prometheus' form."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector

from prism.resources import KINDS
from prism_operator.observed import Key
from prism_operator.settlement import Verdict


class Metrics:
    """All metrics of one operator, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.leader = Gauge(
            "prism_operator_leader", "1 while this replica of the operator acts.", registry=registry
        )
        self.resources = Gauge(
            "prism_operator_resources",
            "Resources by kind and by whether they are accepted.",
            ["kind", "accepted"],
            registry=registry,
        )
        self.replicas = Gauge(
            "prism_operator_replicas",
            "Connected replicas of the gateway: current runs the newest snapshot, refused will "
            "not, pending has not answered.",
            ["state"],
            registry=registry,
        )
        self.settle_seconds = Histogram(
            "prism_operator_settle_seconds",
            "Seconds to settle all resources once.",
            buckets=(0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
            registry=registry,
        )
        self.snapshot_bytes = Gauge(
            "prism_operator_snapshot_bytes", "Size of the newest snapshot.", registry=registry
        )
        self.withheld = Gauge(
            "prism_operator_withheld",
            "1 while changes are withheld; the resources' condition Programmed says why.",
            registry=registry,
        )
        self.stored = Gauge(
            "prism_operator_snapshot_stored",
            "1 while the newest snapshot is in the ConfigMap.",
            registry=registry,
        )
        self.status_writes = Counter(
            "prism_operator_status_writes", "Statuses written.", registry=registry
        )
        self.failed_writes = Counter(
            "prism_operator_failed_writes",
            "Writes to the API server that failed and are tried again.",
            registry=registry,
        )
        self.admissions = Counter(
            "prism_operator_admissions",
            "Answers of the webhook.",
            ["allowed"],
            registry=registry,
        )

    def count(self, verdicts: Iterable[tuple[Key, Verdict]]) -> None:
        """How many resources are accepted."""
        tally = Tally((key.kind, verdict.accepted) for key, verdict in verdicts)
        for kind in KINDS:
            for accepted in (True, False):
                label = str(accepted).lower()
                self.resources.labels(kind, label).set(tally[kind, accepted])

    def text(self) -> bytes:
        """Every metric in Prometheus' text format."""
        return generate_latest(self._registry)
