"""The metrics of what a server is just now: read when somebody asks, counted nowhere else."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from prism.serve.ads import Ads
from prism.serve.learning import Learning
from prism.serve.processor import Processor
from prism.serve.recent import Recent
from prism.serve.rollout import Rollout
from prism.telemetry.metric import About, Family, Kind, Labels
from prism.telemetry.sending import Sending

MOST_BUDGETS = 100
"""Budgets whose use is told: labels with projects are bounded, too."""
_Points = list[tuple[Labels, float]]


@dataclass(frozen=True, slots=True)
class State:
    """Where it is read from."""

    processor: Processor
    ads: Ads
    recent: Recent
    learning: Learning
    rollout: Rollout
    sending: Sending | None

    def read(self) -> list[Family]:
        """Every such metric as it is now."""
        parts = (self._races(), self._snapshot(), self._health(), self._budgets(), self._own())
        return [family for part in parts for family in part]

    def _races(self) -> Iterable[Family]:
        races = self.processor.races
        waste = races.waste
        yield _counter("prism.races.sent", "Requests sent out to race.", _one(races.sent))
        yield _counter(
            "prism.races.started", "Races whose second model started.", _one(races.started)
        )
        won: _Points = [((model,), count) for model, count in races.wins.items()]
        yield _counter("prism.races.won", "Races of several models, by winner.", won, ("model",))
        tokens: _Points = [(("input",), waste.input_tokens), (("output",), waste.output_tokens)]
        text = "Tokens of the losers of races, as estimated."
        yield _counter("prism.races.waste.tokens", text, tokens, ("kind",))
        text = "US dollars for them, as estimated."
        yield _counter("prism.races.waste.cost", text, _one(waste.usd), (), "{USD}")

    def _snapshot(self) -> Iterable[Family]:
        live, since = self.processor.live, self.rollout.since
        version: _Points = [] if live is None else [((live.version, self.rollout.origin), 1)]
        tables: _Points = []
        if live is not None:
            tables = [((name, table.generation), 1) for name, table in live.plan.tables.items()]
        age = _one(max(0.0, time.time() - since)) if since is not None else []
        labels = ("version", "source")
        yield _gauge("prism.snapshot", "1 for the configuration that is live.", version, labels)
        labels = ("table", "generation")
        yield _gauge("prism.table", "1 for the generation of each table in it.", tables, labels)
        yield _gauge("prism.snapshot.age", "Since it went live.", age, (), "s")

    def _health(self) -> Iterable[Family]:
        live, learning = self.processor.live, self.learning
        failing = learning.health.failing()
        targets = {} if live is None else live.clusters
        models = sorted({target.model for target in targets.values()})
        points: _Points = [((model,), float(model in failing)) for model in models]
        text = "1 while a model is failing, and goes last."
        yield _gauge("prism.model.failing", text, points, ("model",))
        resting = Counter(str(key["provider"]) for key in learning.keys.shown(targets))
        keys: _Points = [((provider,), count) for provider, count in sorted(resting.items())]
        yield _gauge("prism.keys.resting", "Keys that rest, by provider.", keys, ("provider",))
        yield _gauge("prism.envoys", "Envoys that are connected.", _one(self.ads.connected))

    def _budgets(self) -> Iterable[Family]:
        """Of the budgets that are spent furthest, since there may be thousands of projects."""
        used = sorted(
            (
                (one["spentUsd"] / one["maxUsd"], str(one["project"]), one["period"], one["action"])
                for one in self.processor.spending.status()
                if one["maxUsd"]
            ),
            key=lambda one: (-one[0], *map(str, one[1:])),
        )
        points: _Points = [(tuple(map(str, of)), share) for share, *of in used[:MOST_BUDGETS]]
        text = f"Share of a budget that is spent; of the {MOST_BUDGETS} that are spent furthest."
        labels = ("project", "period", "action")
        known = "prism_budget_used_ratio"
        yield Family(About("prism.budget.used", known, Kind.GAUGE, "1", labels, text), [*points])

    def _own(self) -> Iterable[Family]:
        recent = self.recent
        joined: _Points = [(("joined",), recent.joined), (("lost",), recent.lost)]
        text = "Outcomes, by whether they met their decision."
        yield _counter("prism.outcomes", text, joined, ("result",))
        yield from self._telemetry()

    def _telemetry(self) -> Iterable[Family]:
        sending = self.sending
        spans: _Points = []
        events: _Points = []
        failed: _Points = []
        if sending is not None:
            traces, logs = sending.traces, sending.logs
            spans = [(("sent",), traces.sent), (("dropped",), traces.dropped)]
            events = [(("sent",), logs.sent), (("dropped",), logs.dropped)]
            metrics = sending.failed_metrics
            failed = [(("traces",), traces.failed), (("metrics",), metrics)]
            failed.append((("logs",), logs.failed))
        text = "Sampled requests, by what became of their spans."
        yield _counter("prism.telemetry.traces", text, spans, ("result",))
        text = "Log events, by what became of them."
        yield _counter("prism.telemetry.logs", text, events, ("result",))
        text = "Exports that the collector did not take."
        yield _counter("prism.telemetry.failures", text, failed, ("signal",))


def _one(value: float) -> _Points:
    return [((), value)]


def _counter(
    name: str, text: str, points: _Points, labels: tuple[str, ...] = (), unit: str = "1"
) -> Family:
    known = name.replace(".", "_") + ("_usd_total" if unit == "{USD}" else "_total")
    return Family(About(name, known, Kind.COUNTER, unit, labels, text), list(points))


def _gauge(
    name: str, text: str, points: _Points, labels: tuple[str, ...] = (), unit: str = "1"
) -> Family:
    known = name.replace(".", "_") + ("_seconds" if unit == "s" else "")
    if unit == "1" and len(labels) > 1:
        known += "_info"
    return Family(About(name, known, Kind.GAUGE, unit, labels, text), list(points))
