"""Metrics as OpenTelemetry's exporter takes them."""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from prism import __version__
from prism.telemetry.metric import Buckets, Family, Kind

_SCOPE = InstrumentationScope("prism", __version__)
_CUMULATIVE = AggregationTemporality.CUMULATIVE


def metrics_data(
    families: Sequence[Family], resource: Resource, began_ns: int, now_ns: int
) -> MetricsData:
    """Everything counted between two times (nanoseconds since the epoch)."""
    metrics = [_metric(family, began_ns, now_ns) for family in families if family.points]
    scope = ScopeMetrics(_SCOPE, metrics, "")
    return MetricsData([ResourceMetrics(resource, [scope], "")])


def _metric(family: Family, began_ns: int, now_ns: int) -> Metric:
    about = family.about
    data: Sum | Gauge | Histogram
    if about.kind is Kind.HISTOGRAM:
        sizes = [
            _size(family, labels, value, began_ns, now_ns)
            for labels, value in family.points
            if isinstance(value, Buckets)
        ]
        data = Histogram(sizes, _CUMULATIVE)
    else:
        numbers = [
            NumberDataPoint(dict(zip(about.labels, labels, strict=True)), began_ns, now_ns, value)
            for labels, value in family.points
            if not isinstance(value, Buckets)
        ]
        counter = about.kind is Kind.COUNTER
        data = Sum(numbers, _CUMULATIVE, is_monotonic=True) if counter else Gauge(numbers)
    return Metric(about.name, about.help, about.unit, data)


def _size(
    family: Family, labels: tuple[str, ...], found: Buckets, began_ns: int, now_ns: int
) -> HistogramDataPoint:
    exemplars = [
        Exemplar({}, value, int(where.time * 1e9), int(where.span_id, 16), int(where.trace_id, 16))
        for value, where in found.exemplars.values()
    ]
    return HistogramDataPoint(
        attributes=dict(zip(family.about.labels, labels, strict=True)),
        start_time_unix_nano=began_ns,
        time_unix_nano=now_ns,
        count=sum(found.counts),
        sum=found.total,
        bucket_counts=found.counts,
        explicit_bounds=family.about.buckets,
        # Not known: of all that was ever measured they would say little.
        min=None,  # type: ignore[arg-type]
        max=None,  # type: ignore[arg-type]
        exemplars=exemplars,
    )
