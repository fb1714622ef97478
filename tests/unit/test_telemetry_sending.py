"""Spans as a collector gets them over real gRPC, and what happens while there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from tests.gateway.collector import Collector, collecting
from tests.gateway.running import free_port, until

from prism.routing.decision import ErrorCode, Refusal
from prism.telemetry.metrics import Metrics
from prism.telemetry.sending import MOST_WAITING, Sending, resource
from prism.telemetry.settings import read_settings
from prism.telemetry.spans import Traced

from .test_telemetry_metrics import TRACE, answered, record

Make = Callable[..., Sending]


@pytest.fixture
def sending() -> Iterator[Make]:
    made: list[Sending] = []

    def make(url: str, **variables: str) -> Sending:
        settings = read_settings({"OTEL_EXPORTER_OTLP_ENDPOINT": url, **variables})
        made.append(Sending(settings, resource(settings.service)))
        return made[-1]

    yield make
    for one in made:
        if one.running:
            one.close()


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as kept:
        yield kept


def traced(**given: object) -> Traced:
    kept = record(**given)  # type: ignore[arg-type]
    outcome = (
        answered(kept).outcome
        if kept.decision.models
        else replace(answered(record()).outcome, model=None, status=400)
    )
    return Traced(TRACE, kept, outcome, None, "g1")


def test_a_request_s_spans(sending: Make, collector: Collector) -> None:
    made = sending(collector.url)
    made.start()
    made.put(traced())
    names = ["prism.route", "prism.classify", "prism.decide"]
    until(lambda: len(collector.spans) == 4, "four spans")
    found = {span.name: span for span in collector.trace(TRACE.trace_id)}
    route = found["prism.route"]
    assert route.parent == TRACE.span_id
    assert [found[name].parent for name in names[1:]] == [route.id, route.id]
    assert (route.begin, route.end) == (10**18, 10**18 + 400_000)
    assert (found["prism.classify"].begin, found["prism.classify"].end) == (
        10**18 + 100_000,
        10**18 + 250_000,
    )
    assert route.resource["service.name"] == "prism"
    # Counted once the collector has answered, which is after it has them.
    until(lambda: made.sent.requests == 1, "the request to be counted")


def test_a_raced_request_s_spans(sending: Make, collector: Collector) -> None:
    made, raced = sending(collector.url), record().decision
    made.start()
    made.put(traced(decision=replace(raced, race=True)))
    until(lambda: len(collector.spans) == 4, "four spans")
    assert collector.named(TRACE.trace_id, "prism.route")[0].attributes["prism.race"] is True


def test_a_refused_request_has_no_answer_but_an_error(sending: Make, collector: Collector) -> None:
    made = sending(collector.url)
    refusal = Refusal(403, ErrorCode.NO_ELIGIBLE_MODEL, "none is left")
    decision = replace(record().decision, models=(), refusal=refusal, estimate=None)
    made.start()
    made.put(traced(decision=decision))
    until(lambda: len(collector.spans) == 3, "three spans")
    (route,) = collector.named(TRACE.trace_id, "prism.route")
    assert route.error
    assert route.attributes["prism.refusal"] == "no_eligible_model"


def test_what_is_left_is_sent_at_the_end(sending: Make, collector: Collector) -> None:
    made, metrics = sending(collector.url), Metrics()
    metrics.finished(answered(record()), record(), None)
    made.start()
    made.put(traced())
    made.measure(metrics.read())
    made.close()
    assert len(collector.spans) == 4
    assert collector.metrics["prism.requests"].sum.is_monotonic


def test_a_collector_that_is_away_has_requests_dropped_and_counted(sending: Make) -> None:
    made = sending(f"http://127.0.0.1:{free_port()}", OTEL_EXPORTER_OTLP_TIMEOUT="1")
    for _ in range(MOST_WAITING + 7):
        made.put(traced())
    assert made.sent.dropped == 7
    made.start()
    until(lambda: made.sent.failed_traces, "an export to fail")
    assert made.sent.requests == 0


def test_one_request_that_can_t_be_told_loses_no_other(sending: Make, collector: Collector) -> None:
    made = sending(collector.url)
    made.put(traced(timing="broken"))
    made.put(traced())
    made.start()
    until(lambda: len(collector.spans) == 4, "the other's spans")
    until(lambda: made.sent.dropped == 1, "the broken one to be counted")
