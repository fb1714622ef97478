"""Decides each usage again, in every mode, with the engine that the gateway decides with."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from prism.routing.bounds import Limits
from prism.routing.catalog import MODES, Mode, Price, Table, Task
from prism.routing.cost import cost_usd
from prism.routing.decide import Health, decide
from prism.routing.decision import Decision
from prism.routing.identify import Caller
from prism.routing.plan import Plan
from prism.routing.predictor import corrected
from prism.routing.signals import Classification, Signals
from prism.savings.prices import Priced, Prices
from prism.savings.tally import MOST_MODELS, OTHERS, Asked, Moved, Tally
from prism.savings.usage import Usage

NO_PROMPT = "the log has no prompt"
_HEALTHY = Health()
_NO_LIMITS = Limits()


class Classifies(Protocol):
    """What is needed of a classifier; ``prism.classify.Classifier`` is one."""

    def classify(self, text: str) -> Classification:
        """Classify one text."""


@dataclass(frozen=True, slots=True)
class Router:
    """``mix`` is the share of each task among requests whose prompt the log does not have;
    empty, they are routed as the gateway routes what it can't read: by the safe task."""

    plan: Plan
    caller: Caller
    classifier: Classifies
    prices: Prices
    mix: Mapping[Task, float]

    def count(self, usage: Usage, tally: Tally) -> None:
        """Add a usage and what each mode makes of it."""
        priced = self.prices.of(usage.model, usage.provider)
        if priced is None:
            tally.unpriced[usage.model if len(tally.unpriced) < MOST_MODELS else OTHERS] += (
                usage.requests
            )
            return
        usd = _cost(usage, priced.price)
        tally.estimated += usage.estimated
        if usage.own_usd is not None:
            tally.own_requests += usage.requests
            tally.own_usd += usage.own_usd
            tally.own_priced_usd += usd
        name = _name(priced, tally)
        for classification, share in self._tasks(usage, tally):
            case = _Case(usage, priced, name, usd, share)
            decisions = [self._decide(usage, classification, mode) for mode in MODES]
            case.asked(tally, decisions[0].task)
            for decision in decisions:
                case.moved(tally, decision, self.caller.table)

    def _tasks(self, usage: Usage, tally: Tally) -> list[tuple[Classification | None, float]]:
        if usage.chat is not None:
            began = time.thread_time()
            found = self.classifier.classify(usage.chat.text)
            found = corrected(self.caller.table.predictor, found)
            tally.classify_s += time.thread_time() - began
            tally.classified += 1
            return [(found, 1.0)]
        tally.unread += usage.requests
        if not self.mix:
            return [(None, 1.0)]
        return [
            (Classification(task, 1.0, {task: 1.0}), share)
            for task, share in self.mix.items()
            if share
        ]

    def _decide(self, usage: Usage, classification: Classification | None, mode: Mode) -> Decision:
        chat = usage.chat
        signals = Signals(
            model=min(self.caller.table.auto_names),
            pin=None,
            mode=mode,
            limits=_NO_LIMITS,
            needs=frozenset() if chat is None else chat.needs,
            # The provider's count, which is better than an estimate.
            input_tokens=usage.tokens.input // usage.requests,
            max_output_tokens=None if chat is None else chat.max_output_tokens,
            stream=False,
        )
        degraded = NO_PROMPT if classification is None else None
        return decide(self.plan, self.caller, signals, classification, _HEALTHY, degraded=degraded)


@dataclass(frozen=True, slots=True)
class _Case:
    """A usage with its price (US dollars), and the share of it that is taken for one task."""

    usage: Usage
    priced: Priced
    name: str
    usd: float
    share: float

    def asked(self, tally: Tally, task: Task) -> None:
        """Count what was."""
        tokens, share = self.usage.tokens, self.share
        asked = tally.asked.setdefault((task, self.name), Asked())
        asked.requests += self.usage.requests * share
        asked.input += tokens.input * share
        asked.output += tokens.output * share
        asked.cached += tokens.cached * share
        asked.written += tokens.written * share
        asked.usd += self.usd * share

    def moved(self, tally: Tally, decision: Decision, table: Table) -> None:
        """Count what a mode makes of it. The first model is taken to answer."""
        tokens = self.usage.tokens
        to, cold, warm = self.name, self.usd, self.usd
        if not decision.models:
            tally.kept[decision.mode] += self.usage.requests
        elif (model := table.models[decision.models[0]]) is not self.priced.model:
            to = model.name
            # What the client has put into a cache is put into one there as well.
            cold = cost_usd(model.price, tokens.input, tokens.output, 0, tokens.written)
            warm = _cost(self.usage, model.price)
        moved = tally.moved.setdefault((decision.task, self.name, decision.mode, to), Moved())
        moved.requests += self.usage.requests * self.share
        moved.usd += cold * self.share
        moved.warm_usd += warm * self.share


def _name(priced: Priced, tally: Tally) -> str:
    """The model's name in the tally, which has no more than so many."""
    if len(tally.asked) < MOST_MODELS or any(name == priced.name for _, name in tally.asked):
        return priced.name
    return OTHERS


def _cost(usage: Usage, price: Price) -> float:
    tokens = usage.tokens
    return cost_usd(price, tokens.input, tokens.output, tokens.cached, tokens.written)
