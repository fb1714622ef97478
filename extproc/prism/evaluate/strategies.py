"""Ways to choose a model for a prompt, as the score and the cost of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from prism.evaluate.graded import Graded
from prism.routing.bounds import Limits
from prism.routing.catalog import MODES, Catalog, Mode, Table
from prism.routing.decide import Health, decide
from prism.routing.identify import Caller
from prism.routing.plan import compile_plan
from prism.routing.predictor import corrected
from prism.routing.signals import Signals


@dataclass(frozen=True, slots=True)
class Strategy:
    """``scores`` and ``costs`` of every prompt, in order. ``kind`` is table, model, random or
    oracle."""

    name: str
    kind: str
    scores: tuple[float, ...]
    costs: tuple[float, ...]


def of_table(name: str, table: Table, prompts: Sequence[Graded]) -> list[Strategy]:
    """One strategy a mode."""
    return [
        _strategy(f"{name} {mode}", "table", prompts, first_choices(table, mode, prompts))
        for mode in MODES
    ]


def first_choices(table: Table, mode: Mode, prompts: Iterable[Graded]) -> list[str]:
    """The model that each prompt goes to, as a plain request in ``mode``: the engine decides.

    Raises ``LookupError`` where a request would be refused.
    """
    plan = compile_plan(Catalog({table.name: table}, (), table.name, table.generation))
    caller, signals = Caller(None, plan.default_table), _signals(table, mode)
    found = []
    for prompt in prompts:
        read = corrected(table.predictor, prompt.read)
        decision = decide(plan, caller, signals, read, Health())
        if not decision.models:
            raise LookupError(f"table {table.name}: no model for {prompt.read.task} in mode {mode}")
        found.append(decision.models[0])
    return found


def _signals(table: Table, mode: Mode) -> Signals:
    auto = min(table.auto_names)
    return Signals(auto, None, mode, Limits(), frozenset(), 0, None, False)


def of_models(prompts: Sequence[Graded]) -> list[Strategy]:
    """Always the same model, by name."""
    return [
        _strategy(model, "model", prompts, [model] * len(prompts)) for model in prompts[0].scores
    ]


def oracle(prompts: Sequence[Graded]) -> Strategy:
    """The cheapest of the models with the best score, for each prompt: nothing can be better."""
    return _strategy("oracle", "oracle", prompts, [_best(prompt) for prompt in prompts])


def _best(prompt: Graded) -> str:
    return min(prompt.scores, key=lambda m: (-prompt.scores[m], prompt.costs[m], m))


def at_random(prompts: Sequence[Graded]) -> Strategy:
    """Any model with the same chance, as what is to be expected of it."""
    return Strategy(
        "random",
        "random",
        tuple(_mean(p.scores) for p in prompts),
        tuple(_mean(p.costs) for p in prompts),
    )


def best_model(models: Iterable[Strategy]) -> Strategy:
    """The model with the best mean score; of equals the cheapest."""
    return min(models, key=lambda s: (-sum(s.scores), sum(s.costs), s.name))


def cheapest_model(models: Iterable[Strategy]) -> Strategy:
    """The model with the least mean cost; of equals the best."""
    return min(models, key=lambda s: (sum(s.costs), -sum(s.scores), s.name))


def _strategy(name: str, kind: str, prompts: Sequence[Graded], choices: Sequence[str]) -> Strategy:
    pairs = list(zip(prompts, choices, strict=True))
    return Strategy(
        name,
        kind,
        tuple(p.scores[model] for p, model in pairs),
        tuple(p.costs[model] for p, model in pairs),
    )


def _mean(values: Mapping[str, float]) -> float:
    return sum(values.values()) / len(values)
