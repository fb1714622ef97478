"""Metrics as OTLP has them."""

from __future__ import annotations

from collections.abc import Sequence

from prism.otlp.v1.otlp_pb2 import AGGREGATION_TEMPORALITY_CUMULATIVE as CUMULATIVE
from prism.otlp.v1.otlp_pb2 import (
    Exemplar,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
)
from prism.telemetry.encoding import add
from prism.telemetry.metric import Buckets, Family, Kind


def metrics_of(families: Sequence[Family], began_ns: int, now_ns: int) -> list[Metric]:
    """Everything counted between two times (nanoseconds since the epoch)."""
    return [_metric(family, began_ns, now_ns) for family in families if family.points]


def _metric(family: Family, began_ns: int, now_ns: int) -> Metric:
    about = family.about
    metric = Metric(name=about.name, description=about.help, unit=about.unit)
    if about.kind is Kind.HISTOGRAM:
        metric.histogram.aggregation_temporality = CUMULATIVE
        metric.histogram.data_points.extend(
            _size(family, labels, value, began_ns, now_ns)
            for labels, value in family.points
            if isinstance(value, Buckets)
        )
        return metric
    numbers = [
        _number(family, labels, value, began_ns, now_ns)
        for labels, value in family.points
        if not isinstance(value, Buckets)
    ]
    if about.kind is Kind.COUNTER:
        metric.sum.aggregation_temporality = CUMULATIVE
        metric.sum.is_monotonic = True
        metric.sum.data_points.extend(numbers)
    else:
        metric.gauge.data_points.extend(numbers)
    return metric


def _number(
    family: Family, labels: tuple[str, ...], value: float, began_ns: int, now_ns: int
) -> NumberDataPoint:
    point = NumberDataPoint(start_time_unix_nano=began_ns, time_unix_nano=now_ns, as_double=value)
    for name, label in zip(family.about.labels, labels, strict=True):
        add(point.attributes, name, label)
    return point


def _size(
    family: Family, labels: tuple[str, ...], found: Buckets, began_ns: int, now_ns: int
) -> HistogramDataPoint:
    # Least and most are left out: of all that was ever measured they would say little.
    point = HistogramDataPoint(
        start_time_unix_nano=began_ns,
        time_unix_nano=now_ns,
        count=sum(found.counts),
        sum=found.total,
        bucket_counts=found.counts,
        explicit_bounds=family.about.buckets,
        exemplars=[
            Exemplar(
                time_unix_nano=int(where.time * 1e9),
                as_double=value,
                span_id=bytes.fromhex(where.span_id),
                trace_id=bytes.fromhex(where.trace_id),
            )
            for value, where in found.exemplars.values()
        ],
    )
    for name, label in zip(family.about.labels, labels, strict=True):
        add(point.attributes, name, label)
    return point
