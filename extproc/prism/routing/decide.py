"""The decision: signals, classification and health in; models to try and reasons out.

Pure: the same plan and inputs give the same decision, here, in the operator's preview and
in a replay. The order of the steps is documented in ``docs/reference/decision-order.md``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from prism.routing.ask import asked_model
from prism.routing.budget import NOTHING_SPENT, Spending, held_back
from prism.routing.candidates import Case, candidates
from prism.routing.catalog import TASKS, ClassifierSettings, Model, Table, Task
from prism.routing.cost import UNMEASURED, estimate, expected_output
from prism.routing.decision import Decision, Reason, Refusal, Step
from prism.routing.identify import Caller
from prism.routing.plan import Plan, Scope
from prism.routing.racing import barred, racers
from prism.routing.signals import Classification, Corrections, Signals
from prism.routing.sticking import Held, stay
from prism.routing.trial import Trial


@dataclass(frozen=True, slots=True)
class Health:
    """What is known of the models just now, by their names: which are ``failing``, the
    milliseconds to the first token of those that were measured, and which of those that
    failed this request is to try in their own place (``probed``)."""

    failing: frozenset[str] = frozenset()
    first_token_ms: Mapping[str, float] = field(default_factory=lambda: UNMEASURED)
    probed: frozenset[str] = frozenset()


def needs_classification(
    plan: Plan, caller: Caller, signals: Signals, spending: Spending = NOTHING_SPENT
) -> bool:
    """Whether the task can change which models are tried.

    It cannot for a request that will be refused whatever its task, that asks for one
    model, or whose policy forces the same model for every task.
    """
    scope = plan.scope(caller.table, caller.policy)
    held = held_back(scope.policy, spending)
    if held.refusal is not None:
        return False
    asked = asked_model(scope, signals)
    if isinstance(asked, Refusal):
        return False
    if not scope.forced:
        return asked is None
    mode = held.mode or signals.mode or scope.mode
    outcomes = {scope.forced.get((task, mode), asked) for task in TASKS}
    return len(outcomes) > 1 or None in outcomes


def decide(
    plan: Plan,
    caller: Caller,
    signals: Signals,
    classification: Classification | None,
    health: Health,
    *,
    degraded: str | None = None,
    race_allowed: bool = True,
    retry_allowed: bool = True,
    spending: Spending = NOTHING_SPENT,
    held: Held | None = None,
    trial: Trial | None = None,
) -> Decision:
    """Which models to try for a request, in order, or why none can be.

    ``caller`` must come from ``identify`` with this ``plan``. ``degraded`` says why there
    is no ``classification`` ("deadline of 20 ms passed") and counts only without one.
    ``race_allowed`` is the caller's say on share and cost of races (``racing.allowed``),
    ``retry_allowed`` on the table's budget of further attempts, ``spending`` what is known of
    the budgets of its policy, ``held`` what is remembered of the request's conversation,
    ``trial`` why this table decides where there are two.
    """
    scope = plan.scope(caller.table, caller.policy)
    table = scope.table
    budgeted = held_back(scope.policy, spending)
    mode = budgeted.mode or signals.mode or scope.mode
    if classification is None:
        if degraded is None and needs_classification(plan, caller, signals, spending):
            degraded = "no classification was given"
    else:
        degraded = _abstained(table.classifier, classification)
    task, reason = _task(scope, classification, degraded)
    trace = [scope.reason, *budgeted.reasons, reason]
    if trial is not None:
        trace.insert(1, trial.reason)
    ceiling = signals.max_output_tokens
    expected = expected_output(table, task, ceiling)
    # Providers refuse a prompt whose whole ceiling does not fit, however short the answer.
    room = signals.input_tokens + (expected if ceiling is None else ceiling)
    case = Case(
        scope,
        signals,
        task,
        mode,
        expected,
        room,
        health.first_token_ms,
        _corrections(table, classification),
    )
    found = budgeted.refusal or candidates(case, trace)
    models: Sequence[Model] = ()
    race = False
    if not isinstance(found, Refusal):
        # Nobody is sent to try a failing model without another to go on to.
        failing = health.failing if retry_allowed else health.failing | health.probed
        models = _healthy_first(found, failing, trace)
        alone = False
        if held is not None:
            spent = budgeted.mode is not None
            models, alone = stay(case, held, models, failing, trace, spent=spent)
        models = _attempts(scope, models, trace)
        bar: str | None = ""
        if alone:
            bar = "a conversation whose tools are at work keeps to one model"
        elif retry_allowed:
            bar = barred(
                scope,
                mode,
                models,
                failing,
                acts_at_provider=signals.acts_at_provider,
                counts=signals.counts,
                room=race_allowed,
            )
        if not retry_allowed:
            trace.append(Reason(Step.ATTEMPTS, "retry budget spent: one attempt only"))
        race = _race(bar, racers(table.racing, models), trace)
    policy = scope.policy
    return Decision(
        table=table.name,
        policy=None if policy is None else policy.name,
        project=None if policy is None else policy.project,
        task=task,
        mode=mode,
        confidence=None if classification is None else classification.confidence,
        degraded=degraded,
        models=tuple([model.name for model in models]),
        race=race,
        estimate=estimate(models[0], signals.input_tokens, expected, health.first_token_ms)
        if models
        else None,
        reasons=tuple(trace),
        refusal=found if isinstance(found, Refusal) else None,
    )


def _abstained(settings: ClassifierSettings, found: Classification) -> str | None:
    if not found.unsure(settings.abstain_below, settings.abstain_on):
        return None
    said, floor = f"{found.task} with confidence {found.confidence:.2f}", settings.abstain_below
    return f"abstained: {said} < {floor:.2f}"


def _corrections(table: Table, found: Classification | None) -> Corrections | None:
    """Those of the table's own predictor: another's were fitted to other qualities."""
    if found is None or found.corrections is None or table.predictor is None:
        return None
    return found.corrections if found.corrections.predictor == table.predictor.digest else None


def _task(
    scope: Scope, classification: Classification | None, degraded: str | None
) -> tuple[Task, Reason]:
    if degraded is not None:
        task = scope.table.classifier.safe_task
        return task, Reason(Step.CLASSIFY, f"{degraded}; safe task {task}")
    if classification is None:
        task = scope.table.classifier.safe_task
        return task, Reason(Step.CLASSIFY, f"not needed; safe task {task}")
    task = classification.task
    return task, Reason(Step.CLASSIFY, f"{task}, confidence {classification.confidence:.2f}")


def _healthy_first(
    models: Sequence[Model], failing: frozenset[str], trace: list[Reason]
) -> Sequence[Model]:
    if not failing:
        return models
    last = [model for model in models if model.name in failing]
    if not last:
        return models
    healthy = [model for model in models if model.name not in failing]
    text = "failing now, goes last" if healthy else "failing now, as every candidate is"
    trace += [Reason(Step.HEALTH, text, model.name) for model in last]
    return [*healthy, *last]


def _attempts(scope: Scope, models: Sequence[Model], trace: list[Reason]) -> Sequence[Model]:
    most = scope.table.retry.max_attempts
    if len(models) <= most:
        return models
    spare = ", ".join(model.name for model in models[most:])
    trace.append(Reason(Step.ATTEMPTS, f"at most {most} attempts; not tried: {spare}"))
    return models[:most]


def _race(bar: str | None, models: Sequence[Model], trace: list[Reason]) -> bool:
    if bar is None:
        first, *others = [model.name for model in models]
        trace.append(Reason(Step.ATTEMPTS, f"{first} races {', then '.join(others)}"))
    elif bar:
        trace.append(Reason(Step.ATTEMPTS, f"not raced: {bar}"))
    return bar is None
