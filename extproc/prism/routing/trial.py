"""A request whose table has a candidate: which of the two tables decides it.

The candidate decides its share of conversations, and never one for which it has no model while
the table may have one: a candidate refuses nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from prism.routing.ask import asked_model
from prism.routing.decision import Reason, Refusal, Step
from prism.routing.identify import Caller
from prism.routing.plan import Plan
from prism.routing.signals import Signals


class Decided(Protocol):
    """A decision, or what holds one."""

    @property
    def refusal(self) -> Refusal | None:
        """Why there is no model, where there is none."""


D = TypeVar("D", bound=Decided)


@dataclass(frozen=True, slots=True)
class Trial:
    """How a candidate takes part in a request.

    ``table`` names the ``candidate``, which had this ``generation``. ``key`` is what its
    ``percent`` is taken by. ``chosen``: the conversation is of its share. ``applied``: it has
    decided; not so where it is chosen and has no model for the request.
    """

    table: str
    candidate: str
    generation: str
    percent: int
    key: str
    chosen: bool
    applied: bool

    @property
    def reason(self) -> Reason:
        """It in words."""
        name = f"{self.candidate}, the candidate of table {self.table},"
        if not self.percent:
            text = f"{name} is only compared"
        elif not self.chosen:
            text = f"{name} decides {self.percent}% of conversations, not this one"
        elif self.applied:
            text = f"{name} decides {self.percent}% of conversations, this one among them"
        else:
            text = f"{name} was to decide and has no model for this request"
        return Reason(Step.TABLE, text)

    def callers(self, plan: Plan, caller: Caller) -> tuple[Caller, Caller]:
        """Who asks, of the table that decides and of the other one. ``caller`` is of either."""
        table, candidate = plan.tables[self.table], plan.tables[self.candidate]
        if self.applied:
            table, candidate = candidate, table
        return Caller(caller.policy, table), Caller(caller.policy, candidate)


def trial_of(plan: Plan, caller: Caller, signals: Signals, key: str) -> Trial | None:
    """How the candidate of the caller's table takes part; ``None`` where it does not.

    It does not where the request names its model (there is nothing to choose), nor where the
    caller's policy forces a model that the candidate does not have.
    """
    wanted, policy = caller.table.candidate, caller.policy
    if wanted is None or (wanted.table, policy and policy.name) not in plan.scopes:
        return None
    if asked_model(plan.scope(caller.table, policy), signals) is not None:
        return None
    chosen = wanted.takes(key)
    generation = plan.tables[wanted.table].generation
    return Trial(
        *(caller.table.name, wanted.table, generation, wanted.percent, key),
        chosen=chosen,
        applied=chosen,
    )


def decide_tried(
    plan: Plan,
    caller: Caller,
    signals: Signals,
    key: str,
    decided: Callable[[Caller, Trial | None], D],
) -> D:
    """The decision of the table that has to, ``caller`` being of the one with the candidate.
    ``decided`` makes it as for a caller."""
    trial = trial_of(plan, caller, signals, key)
    if trial is None:
        return decided(caller, None)
    decision = decided(trial.callers(plan, caller)[0], trial)
    if trial.applied and decision.refusal is not None:
        return decided(caller, replace(trial, applied=False))
    return decision
