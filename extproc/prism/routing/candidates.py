"""Steps 2 to 6 of the decision order: which models can be tried, and in which order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from prism.routing.ask import asked_model
from prism.routing.bounds import Limits
from prism.routing.catalog import Mode, Model, Predictor, Task
from prism.routing.decision import ErrorCode, Reason, Refusal, Step
from prism.routing.limits import (
    best_first,
    cheapest_first,
    described,
    preferred,
    stricter,
    unbounded,
    within,
)
from prism.routing.plan import Cell, Scope
from prism.routing.predictor import ordered, predicted
from prism.routing.signals import Corrections, Signals


@dataclass(frozen=True, slots=True)
class Case:
    """All that these steps read. Tokens: ``output_tokens`` is the expected answer, for cost
    and latency; ``room`` is what a model's context must hold. ``first_token_ms`` is measured.
    ``corrections`` are those of the table's own predictor."""

    scope: Scope
    signals: Signals
    task: Task
    mode: Mode
    output_tokens: int
    room: int
    first_token_ms: Mapping[str, float]
    corrections: Corrections | None


def candidates(case: Case, trace: list[Reason]) -> Sequence[Model] | Refusal:
    """The models to try, best first, at least one; or why there is none.

    Appends to ``trace`` the reasons of each step that it takes.
    """
    scope = case.scope
    asked = asked_model(scope, case.signals)
    if isinstance(asked, Refusal):
        trace.append(Reason(Step.PIN, asked.message))
        return asked
    forced = scope.forced.get((case.task, case.mode)) if scope.forced else None
    if forced is not None:
        trace.append(Reason(Step.FORCED, f"policy forces {forced} for {case.task}", forced))
        if asked is not None and asked != forced:
            trace.append(Reason(Step.PIN, "asked for, but policy forces another model", asked))
        return _only(case, forced, "is forced by policy", trace)
    if asked is not None:
        trace.append(Reason(Step.PIN, "asked for by the request; no other model is tried", asked))
        return _only(case, asked, "was asked for", trace)
    return _from_cell(case, trace)


def _only(case: Case, name: str, why: str, trace: list[Reason]) -> Sequence[Model] | Refusal:
    """The one model that policy or the caller wants: it or none, never another instead."""
    scope = case.scope
    if (ruled_out := scope.ruled_out.get(name)) is not None:
        trace.append(ruled_out)
        return _refuse_one(403, name, why, ruled_out)
    model = scope.table.models[name]
    if (text := _lacks(case, model)) is not None:
        trace.append(Reason(Step.ELIGIBLE, text, name))
        return _refuse_one(400, name, why, trace[-1])
    limits, said = _limits(case)
    if said is not None:
        trace.append(said)
        kept, dropped = _within(case, limits, [model])
        if not kept:
            trace += dropped
            return _refuse_one(400, name, why, dropped[0])
    return (model,)


def unable(case: Case, model: Model) -> str | None:
    """Why a model cannot take the request, whoever asks for it: a need or a limit."""
    if (text := _lacks(case, model)) is not None:
        return text
    limits, said = _limits(case)
    if said is None:
        return None
    _, dropped = _within(case, limits, [model])
    return dropped[0].text if dropped else None


def quality(case: Case, model: Model) -> float:
    """How good a model is at the request: as predicted, where the table has a predictor."""
    if case.corrections is None:
        return model.quality[case.task]
    return predicted(model, case.task, case.corrections)


def _from_cell(case: Case, trace: list[Reason]) -> Sequence[Model] | Refusal:
    cell = case.scope.cells[case.task, case.mode]
    start = len(trace)
    models = _able_of_cell(case, cell, trace)
    trace.append(cell.reason)
    if case.scope.table.predictor is not None and len(models) > 1:
        models = _predicted(case, case.scope.table.predictor, models, trace)
    rest: Sequence[Model] | None = None
    if not models:
        rest = models = _rest(case, cell, trace, "no model of the cell can answer")
    limits, said = _limits(case)
    if models and said is not None:
        trace.append(said)
        models, dropped = _within(case, limits, models)
        trace += dropped
        if not models and rest is None:
            rest = _rest(case, cell, trace, "no model of the cell keeps the limits")
            models, dropped = _within(case, limits, rest)
            trace += dropped
        # A policy's limits are guard rails; only the request's own say what it prefers.
        models, reason = preferred(
            case.signals.limits,
            models,
            case.task,
            case.signals.input_tokens,
            case.output_tokens,
            case.signals.conversation,
        )
        if reason is not None and models:
            trace.append(reason)
    return models or _refuse_all(case, trace[start:])


def _able_of_cell(case: Case, cell: Cell, trace: list[Reason]) -> Sequence[Model]:
    trace += cell.ruled_out
    # The common case: what holds for every candidate needs no look at any.
    signals = case.signals
    if (
        signals.needs <= cell.capabilities
        and case.room <= cell.context_length
        and not signals.barred
    ):
        return cell.candidates
    return _able(case, cell.candidates, trace)


def _predicted(
    case: Case, predictor: Predictor, models: Sequence[Model], trace: list[Reason]
) -> Sequence[Model]:
    """The cell's models by what the table's predictor says of them at this prompt."""
    corrections = case.corrections
    if corrections is None:
        trace.append(Reason(Step.CELL, "not predicted for this prompt, so the cell's order holds"))
        return models
    tokens = case.signals.input_tokens, case.output_tokens
    found = ordered(predictor, corrections, models, case.task, case.mode, *tokens)
    said = ", ".join(f"{m.name} {predicted(m, case.task, corrections):.2f}" for m in found)
    trace.append(Reason(Step.CELL, f"by predicted quality against cost: {said}"))
    return found


def _rest(case: Case, cell: Cell, trace: list[Reason], why: str) -> Sequence[Model]:
    """Every other model of the table that can answer: better any than an error."""
    scope, tokens = case.scope, case.signals.input_tokens
    talk = case.signals.conversation
    trace += [reason for name, reason in scope.ruled_out.items() if name not in cell.names]
    others = _able(case, (m for m in scope.models.values() if m.name not in cell.names), trace)
    if case.mode is Mode.ECO:
        others, order = cheapest_first(others, tokens, case.output_tokens, talk), "cheapest"
    else:
        others = best_first(others, case.task, tokens, case.output_tokens, talk)
        order = "best quality"
    names = ", ".join(m.name for m in others) or "none"
    text = f"{why}; the table's other eligible models, {order} first: {names}"
    trace.append(Reason(Step.CELL, text))
    return others


def _able(case: Case, models: Iterable[Model], trace: list[Reason]) -> list[Model]:
    able: list[Model] = []
    for model in models:
        if (text := _lacks(case, model)) is None:
            able.append(model)
        else:
            trace.append(Reason(Step.ELIGIBLE, text, model.name))
    return able


def _lacks(case: Case, model: Model) -> str | None:
    """What the request needs and ``model`` has not."""
    if barred := case.signals.barred:
        api = case.scope.table.providers[model.provider].api
        if (why := barred.get(api)) is not None:
            return why
    missing = case.signals.needs - model.capabilities
    if missing:
        return f"lacks {', '.join(sorted(missing))}"
    if case.room > model.context_length:
        return f"context of {model.context_length} tokens, the request needs {case.room}"
    return None


def _limits(case: Case) -> tuple[Limits, Reason | None]:
    """The bounds that hold and the reason that says them, ``None`` where nothing is bound."""
    scope, own = case.scope, case.signals.limits
    if unbounded(own):
        return scope.limits, scope.limits_reason
    limits = stricter(scope.limits, own)
    return limits, described(limits)


def _within(
    case: Case, limits: Limits, models: Iterable[Model]
) -> tuple[list[Model], list[Reason]]:
    tokens = case.signals.input_tokens, case.output_tokens
    return within(limits, models, case.task, *tokens, case.first_token_ms)


def _refuse_one(status: int, name: str, why: str, reason: Reason) -> Refusal:
    message = f"The model {name!r} {why}, but cannot take this request: {reason.text}."
    return Refusal(status, ErrorCode.NO_ELIGIBLE_MODEL, message)


def _refuse_all(case: Case, reasons: Iterable[Reason]) -> Refusal:
    """403 where policy alone leaves no model; 400 where another request could have one."""
    why = {reason.model: reason.text for reason in reasons if reason.model is not None}
    lines = [f"- {name}: {why[name]}" for name in case.scope.table.models]
    message = "\n".join(["No model can take this request:", *lines])
    status = 400 if case.scope.models else 403
    return Refusal(status, ErrorCode.NO_ELIGIBLE_MODEL, message)
