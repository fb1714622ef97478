"""Conversations stay on their model, whose provider has their beginning in its cache just now.

What is remembered of a conversation comes in as ``Held``; nothing is remembered here. Policy,
needs, limits and health win over it, and so does what the request or the policy names itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prism.routing.ask import asked_model
from prism.routing.candidates import Case, quality, unable
from prism.routing.catalog import Mode, Model
from prism.routing.decision import Reason, Step

UP = 0.1
"""A model that is better by so much at the task is worth losing the cache for: asking too little
of it costs more than a prompt that is read again."""
Models = Sequence[Model]


@dataclass(frozen=True, slots=True)
class Held:
    """What is remembered of a conversation: the ``model`` that answered it last, in which
    ``mode`` it was chosen, and how many seconds ago."""

    model: str
    mode: Mode
    age_s: float


def chosen_in(held: Held | None, model: str, mode: Mode, *, tools_at_work: bool) -> Mode:
    """The mode to remember ``model`` with after a request in ``mode``: while tools are at work it
    is kept whatever the mode, and was not chosen in this one."""
    if tools_at_work and held is not None and held.model == model:
        return held.mode
    return mode


def stay(
    case: Case,
    held: Held,
    models: Models,
    failing: frozenset[str],
    trace: list[Reason],
    *,
    spent: bool = False,
) -> tuple[Models, bool]:
    """The models of a decision once the conversation has had its say, and whether it must keep
    to one of them, so that nothing races. ``models`` are in order, those failing last.
    ``spent``: the mode is that of a project whose budget is spent."""
    scope, signals = case.scope, case.signals
    if scope.forced.get((case.task, case.mode)) or asked_model(scope, signals) is not None:
        return models, False
    model = scope.table.models.get(held.model)
    if model is None:
        return _freely(models, held.model, "no longer in the table", trace)
    ruled_out = scope.ruled_out.get(held.model)
    unfit = unable(case, model) if ruled_out is None else ruled_out.text
    if signals.sealed:
        return _sealed(model, models, failing, unfit, trace), False
    if (why := unfit or _over(case, held, model, failing, spent)) is not None:
        return _freely(models, held.model, why, trace)
    up = models[0].name not in failing
    return _held(case, model, held, models, trace, up=up), signals.tools_at_work


def _over(case: Case, held: Held, model: Model, failing: frozenset[str], spent: bool) -> str | None:
    """Why a model that could answer holds its conversation no longer."""
    if model.name in failing:
        return "failing now"
    tools = case.signals.tools_at_work
    if held.mode is not case.mode and (spent or not tools):
        return f"in mode {held.mode}"
    if tools:
        return None
    if held.age_s >= model.cache_ttl_s:
        return f"{held.age_s:.0f} s ago: its cache is taken to be cold"
    return None


def _held(
    case: Case, model: Model, held: Held, models: Models, trace: list[Reason], *, up: bool
) -> Models:
    """The conversation's model first, unless it may move ``up`` and one is better enough."""
    gain = quality(case, models[0]) - quality(case, model)
    if up and gain >= UP:
        text = f"moves up to {models[0].name}, better at {case.task} by {gain:.2f}"
        trace.append(Reason(Step.CONVERSATION, text, model.name))
        return models
    why = "tools are at work" if case.signals.tools_at_work else "its cache is taken to be warm"
    text = f"the conversation stays: answered {held.age_s:.0f} s ago, {why}"
    trace.append(Reason(Step.CONVERSATION, text, model.name))
    return _first(model, models)


def _sealed(
    model: Model,
    models: Models,
    failing: frozenset[str],
    unfit: str | None,
    trace: list[Reason],
) -> Models:
    """Only models of one provider: no other can read the reasoning that the request brings."""
    others = [other for other in models if other.provider == model.provider]
    if unfit is not None:
        kept: Models = others
    elif model.name in failing:
        kept = [*(other for other in others if other is not model), model]
    else:
        kept = _first(model, others)
    if not kept:
        return _freely(models, model.name, unfit or "", trace)[0]
    out = ", ".join(m.name for m in models if m.provider != model.provider) or "none"
    text = f"it brings reasoning sealed by {model.provider}; left out, as they can't read it: {out}"
    trace.append(Reason(Step.CONVERSATION, text, model.name))
    return kept


def _first(model: Model, models: Models) -> Models:
    return [model, *(other for other in models if other is not model)]


def _freely(models: Models, name: str, why: str, trace: list[Reason]) -> tuple[Models, bool]:
    trace.append(Reason(Step.CONVERSATION, f"answered before and may change: {why}", name))
    return models, False
