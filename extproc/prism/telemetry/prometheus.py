"""Metrics as Prometheus reads them: text, with exemplars where the reader knows OpenMetrics."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import inf

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar

from prism.telemetry.metric import Buckets, Family, Kind

_Bucket = tuple[str, float] | tuple[str, float, Exemplar]


def text(families: Sequence[Family], accept: str) -> tuple[bytes, str]:
    """The text that a reader with this ``Accept`` header understands, and its content type."""
    registry = CollectorRegistry()
    registry.register(_Given(families))
    ProcessCollector(registry=registry)
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


class _Given(Collector):
    def __init__(self, families: Sequence[Family]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return map(_metric, self._families)


def _metric(family: Family) -> Metric:
    about = family.about
    if about.kind is Kind.HISTOGRAM:
        sizes = HistogramMetricFamily(about.prometheus, about.help, labels=about.labels)
        for labels, value in family.points:
            if isinstance(value, Buckets):
                sizes.add_metric(labels, _buckets(value, about.buckets), value.total)
        return sizes
    numbers: CounterMetricFamily | GaugeMetricFamily
    if about.kind is Kind.COUNTER:
        numbers = CounterMetricFamily(about.prometheus, about.help, labels=about.labels)
    else:
        numbers = GaugeMetricFamily(about.prometheus, about.help, labels=about.labels)
    for labels, value in family.points:
        if not isinstance(value, Buckets):
            numbers.add_metric(labels, value)
    return numbers


def _buckets(found: Buckets, bounds: Sequence[float]) -> list[_Bucket]:
    """Counts up to each bound, as Prometheus has them."""
    rows: list[_Bucket] = []
    below = 0
    for number, bound in enumerate([*bounds, inf]):
        below += found.counts[number]
        upto = "+Inf" if bound == inf else str(float(bound))
        if number not in found.exemplars:
            rows.append((upto, below))
            continue
        value, where = found.exemplars[number]
        ids = {"trace_id": where.trace_id, "span_id": where.span_id}
        rows.append((upto, below, Exemplar(ids, value, where.time)))
    return rows
