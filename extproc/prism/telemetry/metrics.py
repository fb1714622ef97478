"""Every metric of a gateway, and what counts in it. ``docs/telemetry.md`` has the same table."""

from __future__ import annotations

from prism.exchange.targets import KEY_STATUS
from prism.routing.decision import Step
from prism.routing.record import Outcome, Record, Timing
from prism.telemetry.metric import About, Counter, Exemplar, Family, Histogram, Kind
from prism.telemetry.price import Price
from prism.wire.attempts_log import FailedAttempt
from prism.wire.gateway_log import Finished

_SECONDS = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5)
_TO_HEADERS = (0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 20, 30, 60, 120)
_CONFIDENCE = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 1.0)
_USD = "{USD}"
_COUNT, _SIZE = Kind.COUNTER, Kind.HISTOGRAM
_OVERRIDES = {Step.FORCED: ("forced",), Step.PIN: ("pinned",)}


def _counter(name: str, labels: tuple[str, ...], text: str, unit: str = "1") -> Counter:
    known = name.replace(".", "_") + ("_usd" if unit == _USD else "")
    return Counter(About(name, f"{known}_total", _COUNT, unit, labels, text))


def _histogram(
    name: str, labels: tuple[str, ...], text: str, buckets: tuple[float, ...], unit: str
) -> Histogram:
    known = name.replace(".", "_") + ("_seconds" if unit == "s" else "")
    return Histogram(About(name, known, _SIZE, unit, labels, text, buckets))


class Metrics:
    """What is counted. Labels are tasks, modes, models and other words of a bounded set: never
    a project, a caller or an id."""

    def __init__(self) -> None:
        self.requests = _counter(
            "prism.requests",
            ("task", "mode", "model", "outcome"),
            "Requests that are over, by the model that answered, or that was to.",
        )
        self.refusals = _counter(
            "prism.refusals", ("code",), "Requests for which no model could be chosen."
        )
        self.abstentions = _counter(
            "prism.abstentions",
            ("reason",),
            "Requests that took the safe task's cell: the classifier was unsure, or not there.",
        )
        self.overrides = _counter(
            "prism.overrides", ("kind",), "Requests whose model a policy forced or a caller pinned."
        )
        self.candidates = _counter(
            "prism.candidate.decisions",
            ("table", "candidate", "applied", "agrees"),
            "Requests whose table has a candidate: did that decide, do both choose one model?",
        )
        self.failovers = _counter(
            "prism.failovers",
            ("model", "result"),
            "Requests, not raced, whose first model failed: was one of the others better?",
        )
        self.failed_attempts = _counter(
            "prism.attempts.failed", ("model", "provider", "status"), "Attempts that failed."
        )
        self.tokens = _counter(
            "prism.tokens",
            ("model", "kind"),
            "Tokens as providers count them; cached ones are part of input.",
        )
        self.cost = _counter(
            "prism.cost", ("task", "model"), "US dollars spent, by list prices.", _USD
        )
        self.baseline = _counter(
            "prism.baseline.cost",
            ("task",),
            "US dollars that the same tokens cost at the table's best model for the task.",
            _USD,
        )
        self.classifying = _histogram(
            "prism.classifier.duration", (), "Wait for the classifier.", _SECONDS, "s"
        )
        self.second_looks = _counter(
            "prism.classifier.second_looks",
            ("outcome",),
            "Prompts that their words leave in doubt: had the encoder time for them?",
        )
        self.routing = _histogram(
            "prism.route.duration", (), "From a request's coming to its decision.", _SECONDS, "s"
        )
        self.confidence = _histogram(
            "prism.classifier.confidence",
            ("task",),
            "Confidence of the classifier, by the task that it said.",
            _CONFIDENCE,
            "1",
        )
        self.to_headers = _histogram(
            "prism.time_to_headers",
            ("model", "stream"),
            "From sending an attempt to its answer's headers; a plain answer's come at its end.",
            _TO_HEADERS,
            "s",
        )

    def read(self) -> list[Family]:
        """A copy of each of them, in the order above."""
        return [metric.read() for metric in vars(self).values()]

    def second_looked(self, outcome: str) -> None:
        """Count a prompt that the classifier was not sure of at its first look."""
        self.second_looks.add((outcome,))

    def decided(self, record: Record, exemplar: Exemplar | None) -> None:
        """Count a decision, once its request is over."""
        decision = record.decision
        if decision.degraded is not None:
            self.abstentions.add(("unsure" if record.classification else "unavailable",))
        for reason in decision.reasons:
            if reason.step in _OVERRIDES:
                self.overrides.add(_OVERRIDES[reason.step])
                break
        if record.classification is not None:
            said = (record.classification.task.value,)
            self.confidence.observe(said, record.classification.confidence, exemplar)
        if (trial := record.trial) is not None and record.other is not None:
            agrees = _yes(record.other.agrees(decision))
            self.candidates.add((trial.table, trial.candidate, _yes(trial.applied), agrees))
        if record.timing is not None:
            self._timed(record.timing, exemplar)

    def finished(self, entry: Finished, record: Record, price: Price | None) -> None:
        """Count a request that is over."""
        decision, outcome, trace = record.decision, entry.outcome, entry.trace
        exemplar = None
        if trace is not None:
            exemplar = Exemplar(trace.over_ns / 1e9, trace.trace_id, trace.span_id)
        self.decided(record, exemplar)
        if decision.refusal is not None:
            self.refusals.add((decision.refusal.code.value,))
        task, model = decision.task.value, outcome.model or (decision.models or ("none",))[0]
        self.requests.add((task, decision.mode.value, model, _outcome(entry, record)))
        if outcome.model is None:
            return
        if not decision.race and outcome.model != decision.models[0]:
            self.failovers.add((decision.models[0], "answered" if _well(outcome) else "failed"))
        if entry.to_headers_ms is not None and _well(outcome):
            stream = _yes(record.signals.stream)
            self.to_headers.observe((model, stream), entry.to_headers_ms / 1000, exemplar)
        self._used(task, outcome, model)
        if price is not None:
            self.cost.add((task, model), price.cost_usd)
            self.baseline.add((task,), price.baseline_usd)

    def failed(self, attempt: FailedAttempt, model: str, provider: str) -> None:
        """Count an attempt that failed."""
        self.failed_attempts.add((model, provider, _status(attempt.status)))

    def _used(self, task: str, outcome: Outcome, model: str) -> None:
        for kind, count in (
            ("input", outcome.input_tokens),
            ("output", outcome.output_tokens),
            ("cached", outcome.cached_input_tokens),
        ):
            if count:
                self.tokens.add((model, kind), count)

    def _timed(self, timing: Timing, exemplar: Exemplar | None) -> None:
        # The clock may have been set back meanwhile.
        self.routing.observe((), max(0, timing.decided_ns - timing.came_ns) / 1e9, exemplar)
        if timing.asked_ns is not None and timing.classified_ns is not None:
            waited = max(0, timing.classified_ns - timing.asked_ns) / 1e9
            self.classifying.observe((), waited, exemplar)


def _outcome(entry: Finished, record: Record) -> str:
    if record.decision.refusal is not None:
        return "refused"
    status = entry.outcome.status
    if status is None or status >= 500:
        return "failed"
    if status < 400 and (entry.said_error or not entry.whole):
        return "failed"
    return "rejected" if status >= 400 else "answered"


def _yes(value: bool) -> str:
    return "true" if value else "false"


def _well(outcome: Outcome) -> bool:
    return outcome.status is not None and outcome.status < 400


def _status(status: int | None) -> str:
    if status is None:
        return "none"
    if status in KEY_STATUS or status == 408:
        return str(status)
    return f"{status // 100}xx"
