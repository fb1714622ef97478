"""The trace of a request, as a collector gets it from the real Envoy and from Prism."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import openai
import pytest

from prism.providers import Fault, FaultKind, SimulatedProviders

from . import config
from .collector import Collector, Event, Span, collecting
from .running import Gateway, chat, free_port, until

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SERVER, CLIENT, INTERNAL = 2, 3, 1
MODELS = ["giant", "mini", "thinker"]  # at beta, alpha, gamma
CELLS = {task: dict.fromkeys(("eco", "balanced", "sport"), MODELS) for task in config.CELLS}
FAILS = Fault(kind=FaultKind.STATUS, status=503)
HANGS = Fault(kind=FaultKind.HANG)
QUESTION = "What is the capital of France?"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as kept:
        yield kept


@pytest.fixture
def traced(
    collector: Collector, own_gateway: Callable[..., Gateway], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Gateway]:
    """Makes gateways that send to the collector: ``traced(OTEL_TRACES_SAMPLER="always_off")``."""

    def make(spec: dict[str, Any] | None = None, **variables: str) -> Gateway:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return own_gateway(**(spec or {}))

    return make


def parent(trace: str = TRACE, flags: str = "01") -> dict[str, str]:
    return {"traceparent": f"00-{trace}-{PARENT}-{flags}"}


def headers(mode: str, **more: str) -> dict[str, str]:
    return {"authorization": f"Bearer {config.CLIENT_KEY}", "x-prism-mode": mode, **more}


def ask(gateway: Gateway, mode: str = "sport", **more: str) -> httpx.Response:
    url = f"{gateway.base_url}/chat/completions"
    return httpx.post(url, json=chat(QUESTION), headers=headers(mode, **more), timeout=60)


def complete(collector: Collector, trace: str, *names: str) -> dict[str, Span]:
    """The spans of a trace by name, once those named are all there."""

    def there() -> dict[str, Span] | None:
        found = {span.name: span for span in collector.trace(trace)}
        return found if set(names) <= set(found) else None

    found: dict[str, Span] = until(there, f"the spans {names}")
    return found


def given(providers: SimulatedProviders) -> dict[str, str]:
    """The span that each provider was told is its parent."""
    found = {}
    for request in providers.requests:
        carried = {name.lower(): value for name, value in request.headers}["traceparent"]
        assert carried.split("-")[1] == TRACE
        found[request.provider] = carried.split("-")[2]
    return found


def test_a_streamed_failed_over_raced_request_is_one_trace(
    traced: Callable[..., Gateway], providers: SimulatedProviders, collector: Collector
) -> None:
    retry = {"maxAttempts": 3, "attemptTimeout": "20s"}
    racing = {"modes": ["sport"], "maxShare": 1, "waitMs": 200}
    gateway = traced({"cells": CELLS, "racing": racing, "retry": retry}, OTEL_SERVICE_NAME="llm")
    providers.fault("beta", HANGS)
    providers.fault("alpha", FAILS)
    with openai.OpenAI(base_url=gateway.base_url, api_key=config.CLIENT_KEY, max_retries=0) as sdk:
        stream = sdk.chat.completions.create(
            model="auto",
            messages=[{"role": "user", "content": QUESTION}],
            stream=True,
            stream_options={"include_usage": True},
            extra_headers={"x-prism-mode": "sport", **parent()},
        )
        usage = [chunk.usage for chunk in stream][-1]
        decision_id = stream.response.headers["x-prism-decision-id"]
    assert usage is not None
    spans = complete(
        collector,
        TRACE,
        *("POST", "prism.route", "prism.classify", "prism.decide", "chat thinker"),
        "attempt",
        *("attempt at giant", "attempt at mini", "attempt at thinker"),
    )
    root, route, answer = spans["POST"], spans["prism.route"], spans["chat thinker"]
    assert {span.resource["service.name"] for span in spans.values()} == {"llm"}
    attempts = {span.id: span for span in collector.named(TRACE, "attempt")}
    # The tree, and who is what in it.
    assert (root.parent, root.kind) == (PARENT, SERVER)
    assert (route.parent, route.kind) == (root.id, INTERNAL)
    assert (answer.parent, answer.kind) == (root.id, CLIENT)
    assert spans["prism.classify"].parent == spans["prism.decide"].parent == route.id
    for number, model in enumerate(MODELS, 1):
        behind = spans[f"attempt at {model}"]
        attempt = attempts[behind.parent]
        assert attempt.parent == root.id
        assert attempt.attributes.get("retry.count", "0") == str(number - 1)
        assert (attempt.kind, behind.kind) == (CLIENT, CLIENT)
        assert behind.attributes["gen_ai.request.model"] == model
    # Each provider is told of its own attempt.
    owners = {"beta": "giant", "alpha": "mini", "gamma": "thinker"}
    told = {who: spans[f"attempt at {model}"].id for who, model in owners.items()}
    assert given(providers) == told
    assert spans["attempt at mini"].attributes["http.status_code"] == "503"
    # Time goes by in order.
    assert route.begin <= spans["prism.classify"].begin <= spans["prism.classify"].end
    assert spans["prism.classify"].end <= spans["prism.decide"].end <= route.end == answer.begin
    assert answer.end <= root.end + 1_000_000
    _says_why(route, spans["prism.decide"], decision_id)
    _says_what_came(answer, usage, decision_id)
    assert root.attributes["prism.decision.id"] == decision_id
    hung, failed, won = answer.attributes["prism.tried"]
    assert hung == "giant: cancelled"
    assert failed.startswith("mini (alpha): failed, 503, after ")
    assert won.startswith("thinker (gamma): answered, 200, after ")


def _says_why(route: Span, decide: Span, decision_id: str) -> None:
    found = route.attributes
    assert found["prism.decision.id"] == decision_id
    assert (found["prism.task"], found["prism.mode"]) == ("simple", "sport")
    assert (found["prism.project"], found["prism.policy"]) == ("client", "client")
    assert found["prism.table"] == "default"
    assert found["prism.table.generation"]
    assert found["prism.models"] == MODELS
    assert found["prism.race"] is True
    assert 0 < found["prism.confidence"] <= 1
    assert found["prism.estimate.cost_usd"] > 0
    assert "attempts: giant races mini, then thinker" in found["prism.reasons"]
    reasons = [event["prism.reason"] for name, event in decide.events if name == "prism.reason"]
    assert "giant races mini, then thinker" in reasons


def _says_what_came(answer: Span, usage: Any, decision_id: str) -> None:
    found = answer.attributes
    assert found["prism.decision.id"] == decision_id
    assert found["gen_ai.operation.name"] == "chat"
    assert found["gen_ai.provider.name"] == "gamma"
    assert found["gen_ai.request.model"] == found["gen_ai.response.model"] == "thinker"
    assert found["gen_ai.request.stream"] is True
    assert found["gen_ai.usage.input_tokens"] == usage.prompt_tokens
    assert found["gen_ai.usage.output_tokens"] == usage.completion_tokens
    assert found["http.response.status_code"] == 200
    assert found["prism.attempts"] == 3
    # thinker costs 2 and 8 dollars a million, the table's best, giant, 10 and 40.
    cost = (usage.prompt_tokens * 2 + usage.completion_tokens * 8) / 1e6
    assert found["prism.cost_usd"] == pytest.approx(cost)
    assert found["prism.baseline_cost_usd"] == pytest.approx(cost * 5)


def test_a_first_attempt_has_one_span_and_failover_another(
    traced: Callable[..., Gateway], providers: SimulatedProviders, collector: Collector
) -> None:
    gateway = traced(OTEL_METRIC_EXPORT_INTERVAL="500")
    providers.fault("beta", FAILS)
    answer = ask(gateway, **parent())
    assert answer.headers["x-prism-model"] == "mini"
    spans = complete(collector, TRACE, "POST", "attempt at mini", "chat mini")
    assert "attempt at giant" not in spans
    first, second = collector.named(TRACE, "attempt")[:2]
    assert spans["attempt at mini"].parent == second.id
    assert (first.attributes["gen_ai.request.model"], first.error) == ("giant", True)
    assert given(providers) == {"beta": first.id, "alpha": spans["attempt at mini"].id}
    assert spans["chat mini"].attributes["prism.attempts"] == 2
    first_tried, second_tried = spans["chat mini"].attributes["prism.tried"]
    assert first_tried.startswith("giant (beta): failed, 503, after ")
    assert second_tried.startswith("mini (alpha): answered, 200, after ")
    assert not spans["chat mini"].error
    # The same is counted, for the collector and for Prometheus.
    until(lambda: "prism.failovers" in collector.metrics, "metrics to be sent")
    (failover,) = collector.metrics["prism.failovers"].sum.data_points
    assert failover.as_double == 1
    assert _metric(gateway, 'prism_failovers_total{model="giant",result="answered"}') == 1
    failed = 'prism_attempts_failed_total{model="giant",provider="beta",status="5xx"}'
    assert _metric(gateway, failed) == 1
    assert _metric(gateway, "prism_envoys") == 1


def test_an_answer_that_failed_is_an_error(
    traced: Callable[..., Gateway], providers: SimulatedProviders, collector: Collector
) -> None:
    gateway = traced()
    for provider in config.PROVIDERS:
        providers.fault(provider, FAILS)
    assert ask(gateway, **parent()).status_code == 503
    span = complete(collector, TRACE, "chat mini")["chat mini"]
    assert span.error
    assert span.attributes["error.type"] == "503"


def test_a_refused_request_says_why(
    traced: Callable[..., Gateway], providers: SimulatedProviders, collector: Collector
) -> None:
    gateway = traced()
    body = {**chat(QUESTION), "max_tokens": 10**9}
    url = f"{gateway.base_url}/chat/completions"
    answer = httpx.post(url, json=body, headers=headers("sport", **parent()), timeout=60)
    assert answer.status_code == 400
    span = complete(collector, TRACE, "POST", "prism.route")["prism.route"]
    assert span.error
    assert span.attributes["prism.refusal"] == "no_eligible_model"
    assert any("context" in reason for reason in span.attributes["prism.ruled_out"])
    assert not collector.named(TRACE, "chat")
    assert _metric(gateway, 'prism_refusals_total{code="no_eligible_model"}') == 1


def test_a_caller_s_choice_is_kept_and_others_are_sampled_by_the_ratio(
    traced: Callable[..., Gateway], providers: SimulatedProviders, collector: Collector
) -> None:
    gateway = traced(
        OTEL_TRACES_SAMPLER="parentbased_traceidratio",
        OTEL_TRACES_SAMPLER_ARG="0",
        OTEL_EXPORTER_OTLP_HEADERS="api-key=a%20b",
    )
    unwanted = TRACE.replace("0af7", "1bf7")
    ask(gateway, **parent(unwanted, "00"))
    ask(gateway)
    ask(gateway, **parent())
    complete(collector, TRACE, "POST", "prism.route", "chat giant")
    # Those that came before the last one, and were told before it.
    assert {span.trace for span in collector.spans} == {TRACE}
    flags = [dict(r.headers)["traceparent"][-2:] for r in providers.requests]
    assert flags == ["00", "00", "01"]
    assert all(sent["api-key"] == "a b" for sent in collector.headers)


def test_each_decision_is_an_event_sampled_or_not(
    traced: Callable[..., Gateway], providers: SimulatedProviders, collector: Collector
) -> None:
    gateway = traced(OTEL_LOGS_EXPORTER="otlp")
    providers.fault("beta", FAILS)
    unwanted = TRACE.replace("0af7", "1bf7")
    names = [
        ask(gateway, **parent(trace, flags)).headers["x-prism-decision-id"]
        for trace, flags in ((TRACE, "01"), (unwanted, "00"))
    ]
    until(lambda: len(collector.events) == 2, "two events")
    found = {event.attributes["prism.decision.id"]: event for event in collector.events}
    sampled, other = [found[name] for name in names]
    spans = complete(collector, TRACE, "POST", "chat mini")
    assert (sampled.trace, sampled.span) == (TRACE, spans["POST"].id)
    assert other.trace == ""
    for event in (sampled, other):
        assert (event.name, event.severity) == ("prism.decision", "INFO")
        assert event.body == "simple, sport: mini answered 200"
        assert event.attributes["gen_ai.provider.name"] == "alpha"
        assert event.attributes["prism.attempts"] == 2
        assert event.attributes["prism.cost_usd"] > 0
        assert QUESTION not in str(event)
    assert _metric(gateway, 'prism_telemetry_logs_total{result="sent"}') == 2


def test_feedback_is_an_evaluation_of_the_answer_in_its_trace(
    traced: Callable[..., Gateway], collector: Collector
) -> None:
    gateway = traced(OTEL_LOGS_EXPORTER="otlp")
    name = ask(gateway, **parent()).headers["x-prism-decision-id"]
    span = complete(collector, TRACE, "chat giant")["chat giant"]
    said = {"decision_id": name, "thumbs": "up", "comment": "merci", "labels": {"by": "app"}}
    url = f"{gateway.base_url}/prism/feedback"
    httpx.post(url, json=said, headers=headers("sport"), timeout=60).raise_for_status()

    def evaluations() -> list[Event]:
        return [event for event in collector.events if event.name == "gen_ai.evaluation.result"]

    (event,) = until(evaluations, "the evaluation")
    assert (event.trace, event.span) == (TRACE, span.id)
    assert event.attributes["gen_ai.evaluation.score.value"] == 1.0
    assert event.attributes["gen_ai.response.model"] == "giant"
    assert event.attributes["prism.feedback.labels"] == ["by=app"]
    assert "merci" not in str(event)


def test_nothing_is_traced_where_nobody_collects(
    own_gateway: Callable[..., Gateway], providers: SimulatedProviders
) -> None:
    gateway = own_gateway()
    answer = ask(gateway, **parent())
    assert answer.status_code == 200
    # The caller's own context goes through as it is.
    assert dict(providers.requests[0].headers)["traceparent"] == parent()["traceparent"]


def test_a_collector_that_is_away_costs_no_request(
    own_gateway: Callable[..., Gateway],
    providers: SimulatedProviders,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    port = free_port()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    gateway = own_gateway()
    assert ask(gateway).status_code == 200
    until(lambda: _metric(gateway, 'prism_telemetry_traces_total{result="dropped"}'), "a drop")
    with collecting(f"127.0.0.1:{port}") as kept:
        # It is found again by itself; gRPC waits longer after each try.
        def seen() -> bool:
            ask(gateway)
            return any(span.name == "prism.route" for span in kept.spans)

        until(seen, "spans to arrive")


def _metric(gateway: Gateway, name: str) -> float:
    """The value of a metric's series; 0 where it is not there."""
    for line in httpx.get(f"{gateway.admin}/metrics").raise_for_status().text.splitlines():
        if line.startswith(f"{name} "):
            return float(line.rpartition(" ")[2])
    return 0.0
