"""What is counted of requests that are over, and how Prometheus and a collector see it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from prism.routing.catalog import Policy, Task
from prism.routing.decide import Health, decide
from prism.routing.identify import Caller
from prism.routing.plan import compile_plan
from prism.routing.record import Outcome, Record, Timing
from prism.telemetry import prometheus
from prism.telemetry.metric import MOST_SERIES, About, Counter, Kind
from prism.telemetry.metrics import Metrics
from prism.telemetry.otlp import metrics_of
from prism.telemetry.price import baselines, price_of
from prism.wire.attempts_log import FailedAttempt
from prism.wire.gateway_log import Finished, Trace

from .tables import ECO, catalog, classified, policy, signals, table

TRACE = Trace("ab" * 16, "cd" * 8, 10**18, 10**18 + 10**9)
BEST = baselines(table())
OPEN_METRICS = "application/openmetrics-text; version=1.0.0"


def record(held: Policy | None = None, **given: object) -> Record:
    tab = table()
    held = held or policy()
    plan = compile_plan(catalog(held, tables=(tab,)))
    asked, known = signals(mode=ECO), classified()
    decision = decide(plan, Caller(held, tab), asked, known, Health())
    timing = Timing(10**18, 10**18 + 100_000, 10**18 + 250_000, 10**18 + 400_000)
    made = Record("d", 1.0, plan.version, asked, known, Health(), True, decision, timing=timing)
    return replace(made, **given)  # type: ignore[arg-type]


def answered(kept: Record, model: str | None = None, **more: object) -> Finished:
    model = model or kept.decision.models[0]
    outcome = Outcome(200, "p", model, 1, 1000, 100, 200, 350.0, 900.0)
    return Finished("d", replace(outcome, **more), True, 350.0)  # type: ignore[arg-type]


def counted(*finished: tuple[Finished, Record]) -> dict[str, float]:
    metrics = Metrics()
    for entry, kept in finished:
        price = price_of(table(), kept.decision.task, entry.outcome, BEST)
        metrics.finished(entry, kept, price)
    return series(metrics)


def series(metrics: Metrics, accept: str = "") -> dict[str, float]:
    text = prometheus.text(metrics.read(), accept)[0].decode()
    rows = (line.rpartition(" ") for line in text.splitlines() if line.startswith("prism_"))
    return {name: float(value) for name, _, value in rows}


def test_a_request_that_went_well() -> None:
    kept = record()
    model, task = kept.decision.models[0], kept.decision.task.value
    found = counted((answered(kept), kept), (answered(kept), kept))
    labels = f'mode="eco",model="{model}",outcome="answered",task="{task}"'
    assert found[f"prism_requests_total{{{_sorted(found, labels)}}}"] == 2
    assert found[f'prism_tokens_total{{kind="input",model="{model}"}}'] == 2000
    assert found[f'prism_tokens_total{{kind="cached",model="{model}"}}'] == 400
    assert found["prism_route_duration_seconds_count"] == 2
    assert found["prism_route_duration_seconds_sum"] == pytest.approx(0.0008)
    assert found["prism_classifier_duration_seconds_sum"] == pytest.approx(0.0003)
    assert found[f'prism_classifier_confidence_count{{task="{task}"}}'] == 2
    headers = f'prism_time_to_headers_seconds_sum{{model="{model}",stream="false"}}'
    assert found[headers] == pytest.approx(0.7)
    assert not [name for name in found if "failovers" in name or "overrides" in name]


def _sorted(found: dict[str, float], labels: str) -> str:
    """The labels in the order of the text."""
    wanted = set(labels.split(","))
    for name in found:
        inside = name.partition("{")[2].removesuffix("}")
        if set(inside.split(",")) == wanted:
            return inside
    raise AssertionError(f"no series has {labels}: {sorted(found)}")


def test_cost_and_baseline() -> None:
    tab, kept = table(), record()
    outcome = answered(kept).outcome
    price = price_of(tab, Task.CODE, outcome, BEST)
    assert price is not None
    model = tab.models[kept.decision.models[0]]
    cost = 800 * model.price.input + 200 * model.price.cached_input + 100 * model.price.output
    assert price.cost_usd == pytest.approx(cost / 1e6)
    best = max(tab.models.values(), key=lambda m: m.quality[Task.CODE])
    dearest = 800 * best.price.input + 200 * best.price.cached_input + 100 * best.price.output
    assert price.baseline_usd == pytest.approx(dearest / 1e6)


def test_tokens_put_into_a_cache_cost_what_that_costs() -> None:
    tab, kept = table(), record()
    plain, written = (answered(kept, cache_write_tokens=n).outcome for n in (0, 300))
    less, more = (price_of(tab, Task.CODE, outcome, BEST) for outcome in (plain, written))
    assert less is not None
    assert more is not None
    model = tab.models[kept.decision.models[0]]
    dearer = 300 * (model.price.cache_write - model.price.input)
    assert more.cost_usd - less.cost_usd == pytest.approx(dearer / 1e6)
    assert more.baseline_usd > less.baseline_usd


@pytest.mark.parametrize("lacking", ["input_tokens", "output_tokens", "model"])
def test_what_is_not_known_has_no_price(lacking: str) -> None:
    outcome = replace(answered(record()).outcome, **{lacking: None})
    assert price_of(table(), Task.CODE, outcome, BEST) is None
    assert price_of(None, Task.CODE, answered(record()).outcome, BEST) is None


def test_failover_is_told_by_the_model_that_was_left() -> None:
    kept = record()
    first, second, *_ = kept.decision.models
    found = counted((answered(kept, second, attempts=2), kept))
    assert found[f'prism_failovers_total{{model="{first}",result="answered"}}'] == 1
    raced = replace(kept, decision=replace(kept.decision, race=True))
    assert not [n for n in counted((answered(raced, second), raced)) if "failovers" in n]


def test_abstaining_is_not_the_same_as_being_away() -> None:
    kept = record()
    unsure = replace(kept, decision=replace(kept.decision, degraded="abstained: …"))
    away = replace(unsure, classification=None)
    found = counted((answered(unsure), unsure), (answered(away), away))
    assert found['prism_abstentions_total{reason="unsure"}'] == 1
    assert found['prism_abstentions_total{reason="unavailable"}'] == 1


@pytest.mark.parametrize(
    ("status", "whole", "outcome"),
    [
        (200, True, "answered"),
        (200, False, "failed"),
        (404, True, "rejected"),
        (503, True, "failed"),
    ],
)
def test_outcomes(status: int, whole: bool, outcome: str) -> None:
    kept = record()
    entry = replace(answered(kept, status=status), whole=whole)
    assert any(f'outcome="{outcome}"' in name for name in counted((entry, kept)))


def test_failed_attempts_by_status() -> None:
    metrics = Metrics()
    for status in (429, 500, 529, None):
        metrics.failed(FailedAttempt("c", status, None, None), "m", "p")
    found = {n: v for n, v in series(metrics).items() if n.startswith("prism_attempts_failed")}
    assert sorted(found.values()) == [1, 1, 2]
    assert 'prism_attempts_failed_total{model="m",provider="p",status="5xx"}' in found


def test_labels_are_bounded() -> None:
    counter = Counter(About("x", "x_total", Kind.COUNTER, "1", ("model",), "X."))
    for number in range(MOST_SERIES + 10):
        counter.add((str(number),))
    assert len(counter.values) == MOST_SERIES + 1
    assert counter.values[("other",)] == 10


def test_exemplars_lead_to_the_trace() -> None:
    kept, metrics = record(), Metrics()
    metrics.finished(replace(answered(kept), trace=TRACE), kept, None)
    text, content_type = prometheus.text(metrics.read(), OPEN_METRICS)
    assert content_type.startswith("application/openmetrics-text")
    assert f'trace_id="{TRACE.trace_id}"' in text.decode()
    sent = metrics_of(metrics.read(), 1, 2)
    metric = next(metric for metric in sent if metric.name == "prism.route.duration")
    (point,) = metric.histogram.data_points
    assert (point.count, list(point.bucket_counts).count(1)) == (1, 1)
    assert point.exemplars[0].trace_id.hex() == TRACE.trace_id
    assert point.exemplars[0].as_double == pytest.approx(0.0004)
