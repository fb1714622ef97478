"""One decision made again under another plan, and what differs."""

from __future__ import annotations

from dataclasses import dataclass

from prism.routing.catalog import Mode, Table, Task
from prism.routing.cost import cost_usd, expected_output
from prism.routing.decide import decide, needs_classification
from prism.routing.decision import Decision, Step
from prism.routing.identify import Caller
from prism.routing.plan import Plan
from prism.routing.record import Record
from prism.routing.trial import Trial, decide_tried


@dataclass(frozen=True, slots=True)
class Again:
    """A decision then and now. ``before`` and ``after`` are the models that answered, or would
    have; ``None``: refused. Costs are US dollars and qualities 0 to 1, by the new table where it
    has the model; ``None`` where nobody knows. ``why`` is the new decision's last words on it.
    """

    decision_id: str
    project: str | None
    task: Task
    mode: Mode
    before: str | None
    after: str | None
    cost_before: float | None
    cost_after: float | None
    quality_before: float | None
    quality_after: float | None
    why: str

    @property
    def moved(self) -> bool:
        """Whether it would go to another model, or be refused, or no longer be."""
        return self.before != self.after


_CHOOSING = frozenset({Step.FORCED, Step.PIN, Step.CELL, Step.CONVERSATION})


class Untold(Exception):
    """The decision can't be made again under this plan; the message says why."""


def again(record: Record, new: Plan, old: Plan | None = None) -> Again:
    """Decides ``record`` under ``new``; ``old`` has the prices and qualities of models that are
    gone. Raises ``Untold``.

    Tokens are those of the answer that was given, cached ones included, where they are known,
    else the estimate: another model might have written more or less.
    """
    caller = _caller(record, new)
    if (
        record.classification is None
        and record.decision.degraded is None
        and needs_classification(new, caller, record.signals, record.spending)
    ):
        raise Untold("it was not classified, and would have to be now")
    decision = _decided(record, new, caller)
    table = new.tables[decision.table]
    then, outcome = record.decision, record.outcome
    answered = None if outcome is None else outcome.model
    before = answered or _first(then)
    # Where the same model comes first, a failure of it would have led to the same other one.
    after = before if _first(decision) == _first(then) else _first(decision)
    was = None if old is None else old.tables.get(then.table)
    return Again(
        record.decision_id,
        then.project,
        then.task,
        decision.mode,
        before,
        after,
        cost_of(record, before, was or table),
        cost_of(record, after, table),
        _quality(before, then.task, table, was),
        _quality(after, then.task, table, was),
        why(decision),
    )


def _decided(record: Record, new: Plan, caller: Caller) -> Decision:
    """The decision of the caller's table, or of its candidate."""

    def decided(by: Caller, trial: Trial | None) -> Decision:
        return decide(
            new,
            by,
            record.signals,
            record.classification,
            record.health,
            degraded=record.decision.degraded if record.classification is None else None,
            race_allowed=record.race_allowed,
            retry_allowed=record.retry_allowed,
            spending=record.spending,
            held=record.held,
            trial=trial,
        )

    then = record.trial
    # Without a candidate then, nobody needed to know what tells the request from others.
    key = record.signals.conversation or record.decision_id if then is None else then.key
    return decide_tried(new, caller, record.signals, key, decided)


def _caller(record: Record, new: Plan) -> Caller:
    """Who asked, under the new plan: keys are not recorded, the policy that they led to is."""
    then = record.decision
    if then.policy is None:
        table = new.default_table
        if table.require_api_key:
            raise Untold("it had no policy, and a key would be asked for now")
        return Caller(new.anonymous.get(table.name), table)
    policy = new.policies.get(then.policy) or new.by_project.get(then.project or "")
    if policy is None:
        raise Untold(f"its policy {then.policy} is gone")
    return Caller(policy, new.tables[policy.table])


def _first(decision: Decision) -> str | None:
    return decision.models[0] if decision.models else None


def cost_of(record: Record, model: str | None, table: Table) -> float | None:
    """US dollars for the tokens of the answer that was given, had ``model`` written it; ``None``
    where ``table`` does not have it. Where no answer is known, tokens are as estimated."""
    if model is None:
        return 0.0
    if model not in table.models:
        return None
    outcome, signals = record.outcome, record.signals
    given = output = None
    cached = written = 0
    if outcome is not None:
        given, output = outcome.input_tokens, outcome.output_tokens
        cached = outcome.cached_input_tokens or 0
        written = outcome.cache_write_tokens or 0
    if given is None:
        given, cached, written = signals.input_tokens, 0, 0
    if output is None:
        output = expected_output(table, record.decision.task, signals.max_output_tokens)
    return cost_usd(table.models[model].price, given, output, cached, written)


def _quality(model: str | None, task: Task, table: Table, was: Table | None) -> float | None:
    """By the new table: a difference is to tell of routing, not of measuring anew."""
    for known in (table, was):
        if model is not None and known is not None and model in known.models:
            return known.models[model].quality[task]
    return None


def why(decision: Decision) -> str:
    """The last that it says about its choice."""
    if decision.refusal is not None:
        return decision.refusal.message.splitlines()[0]
    said = [reason.text for reason in decision.reasons if reason.step in _CHOOSING]
    return said[-1] if said else ""
