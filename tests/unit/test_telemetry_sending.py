"""Spans and events as a collector gets them over real gRPC, and what happens without one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from tests.gateway.collector import Collector, collecting
from tests.gateway.running import free_port, until

from prism.routing.decision import ErrorCode, Refusal
from prism.routing.feedback import Feedback, Subject
from prism.telemetry.metrics import Metrics
from prism.telemetry.sending import BATCH, MOST_EVENTS, MOST_WAITING, Sending, resource
from prism.telemetry.settings import read_settings
from prism.telemetry.told import Told

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


def traced(**given: object) -> Told:
    kept = record(**given)  # type: ignore[arg-type]
    outcome = (
        answered(kept).outcome
        if kept.decision.models
        else replace(answered(record()).outcome, model=None, status=400)
    )
    return Told(TRACE, kept, outcome, None, "g1", TRACE.over_ns)


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
    until(lambda: made.traces.sent == 1, "the request to be counted")


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
    assert made.traces.dropped == 7
    made.start()
    until(lambda: made.traces.failed, "an export to fail")
    assert made.traces.sent == 0


def test_one_request_that_can_t_be_told_loses_no_other(sending: Make, collector: Collector) -> None:
    made = sending(collector.url)
    made.put(traced(timing="broken"))
    made.put(traced())
    made.start()
    until(lambda: len(collector.spans) == 4, "the other's spans")
    until(lambda: made.traces.dropped == 1, "the broken one to be counted")


LOGS = {"OTEL_LOGS_EXPORTER": "otlp"}


def test_each_request_is_an_event_sampled_or_not(sending: Make, collector: Collector) -> None:
    made = sending(collector.url, **LOGS)
    made.start()
    assert made.wants(sampled=False)
    made.put(traced())
    made.put(replace(traced(), trace=None))
    until(lambda: len(collector.events) == 2, "two events")
    sampled, other = collector.events
    assert (sampled.trace, sampled.span) == (TRACE.trace_id, TRACE.span_id)
    assert (other.trace, other.span) == ("", "")
    assert sampled.attributes == other.attributes
    assert (sampled.name, sampled.severity) == ("prism.decision", "INFO")
    assert sampled.time == TRACE.over_ns
    model = record().decision.models[0]
    assert sampled.body == f"code, eco: {model} answered 200"
    until(lambda: len(collector.spans) == 4, "the spans of the sampled one")
    # What the spans say together.
    (route,) = collector.named(TRACE.trace_id, "prism.route")
    (answer,) = collector.named(TRACE.trace_id, "chat")
    assert sampled.attributes == {**route.attributes, **answer.attributes}
    assert sampled.resource["service.name"] == "prism"
    until(lambda: made.logs.sent == 2, "both to be counted")


def test_a_refusal_is_an_event_that_warns(sending: Make, collector: Collector) -> None:
    made = sending(collector.url, **LOGS)
    refusal = Refusal(403, ErrorCode.NO_ELIGIBLE_MODEL, "none is left")
    made.put(traced(decision=replace(record().decision, models=(), refusal=refusal)))
    made.start()
    until(lambda: len(collector.events) == 1, "an event")
    assert collector.events[0].severity == "WARN"
    assert collector.events[0].body == "code, eco: refused, no_eligible_model"
    assert collector.events[0].attributes["prism.refusal"] == "no_eligible_model"


def test_feedback_is_an_evaluation_below_its_answer(sending: Make, collector: Collector) -> None:
    made = sending(collector.url, **LOGS)
    said = Feedback("d", 0.25, "review", "the answer said 1066", {"rubric": "style"})
    made.put(traced())
    made.evaluated(said, Subject("acme", "code", "eco", "small", TRACE.trace_id))
    made.evaluated(Feedback("e", 1.0), Subject(None, "code", "eco", None, None))
    made.start()
    until(lambda: len(collector.events) == 3, "three events")
    _, own, other = collector.events
    (answer,) = collector.named(TRACE.trace_id, "chat")
    assert (own.name, own.trace, own.span) == ("gen_ai.evaluation.result", answer.trace, answer.id)
    assert own.attributes == {
        "gen_ai.evaluation.name": "feedback",
        "gen_ai.evaluation.score.value": 0.25,
        "gen_ai.response.model": "small",
        "prism.decision.id": "d",
        "prism.feedback.id": "review",
        "prism.feedback.labels": ["rubric=style"],
        "prism.mode": "eco",
        "prism.project": "acme",
        "prism.task": "code",
    }
    assert "1066" not in str(own)
    assert (other.trace, other.span) == ("", "")


def test_no_events_unless_they_are_asked_for(sending: Make, collector: Collector) -> None:
    made = sending(collector.url)
    made.start()
    assert not made.wants(sampled=False)
    made.put(traced())
    made.close()
    assert len(collector.spans) == 4
    assert not collector.events


def test_events_wait_within_bounds_and_are_dropped_without_a_collector(sending: Make) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    made = sending(url, OTEL_EXPORTER_OTLP_TIMEOUT="1", OTEL_TRACES_EXPORTER="none", **LOGS)
    for _ in range(MOST_EVENTS + 3):
        made.put(traced())
    assert (made.logs.dropped, made.traces.dropped) == (3, 0)
    made.start()
    until(lambda: made.logs.failed, "an export to fail")
    assert made.logs.dropped >= 3 + BATCH
    assert made.logs.sent == 0
