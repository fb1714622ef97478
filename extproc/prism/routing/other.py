"""What the table that did not decide would have decided, where a table has a candidate.

Made after the request was answered, and recorded with the inputs that only it had, so that it
can be made again like any decision.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from prism.routing.budget import Spending
from prism.routing.catalog import Api
from prism.routing.decide import Health, decide
from prism.routing.decision import Decision
from prism.routing.identify import Caller
from prism.routing.jsonform import (
    corrections_from_json,
    corrections_to_json,
    decision_from_json,
    decision_to_json,
    held_from_json,
    held_to_json,
)
from prism.routing.plan import Plan
from prism.routing.predictor import corrected
from prism.routing.signals import NONE_BARRED, Classification, Corrections, Signals
from prism.routing.sticking import Held
from prism.routing.trial import Trial

Barring = Callable[[Decision], Mapping[Api, str]]
"""The APIs that a request can't be said in, of those that a decision would need."""


@dataclass(frozen=True, slots=True)
class Other:
    """The decision that was not applied. It races nobody and has every further attempt: both
    depend on what was sent before, and nothing is sent here.

    ``held`` is what would be remembered of the conversation had this table decided all of it,
    ``corrections`` and ``barred`` concern its own models. ``quality`` (0 to 1) is that of its
    first model at the task of the applied decision, ``chosen_quality`` that of the applied one's:
    by the candidate's numbers, and by the table's for models that the candidate does not have.
    """

    decision: Decision
    held: Held | None
    quality: float | None
    chosen_quality: float | None
    corrections: Corrections | None = None
    barred: Mapping[Api, str] = field(default_factory=lambda: NONE_BARRED)

    def agrees(self, applied: Decision) -> bool:
        """Whether both try the same model first, or both none."""
        return self.decision.models[:1] == applied.models[:1]

    def to_json_dict(self) -> dict[str, Any]:
        """All of it, ready for ``json.dumps``."""
        known = self.corrections
        return {
            "decision": decision_to_json(self.decision),
            "held": held_to_json(self.held),
            "quality": self.quality,
            "chosenQuality": self.chosen_quality,
            "corrections": None if known is None else corrections_to_json(known),
            "barred": {api.value: why for api, why in self.barred.items()},
        }

    @classmethod
    def from_json_dict(cls, data: Mapping[str, Any]) -> Other:
        """The one that ``to_json_dict`` was called on."""
        known = data["corrections"]
        return cls(
            decision_from_json(data["decision"]),
            held_from_json(data["held"]),
            data["quality"],
            data["chosenQuality"],
            None if known is None else corrections_from_json(known),
            {Api(api): why for api, why in data["barred"].items()},
        )


def other_of(
    plan: Plan,
    trial: Trial,
    applied: Decision,
    caller: Caller,
    signals: Signals,
    known: Classification | None,
    degraded: str | None,
    health: Health,
    spending: Spending,
    held: Held | None,
    barring: Barring = lambda _: NONE_BARRED,
) -> Other:
    """The decision of the table that has not made ``applied``, of the same inputs. ``caller`` is
    the one of that decision; ``known`` is not ``corrected`` yet, or with this table's predictor."""
    caller = trial.callers(plan, caller)[1]
    if known is not None:
        known = corrected(caller.table.predictor, known)

    def decided(asked: Signals) -> Decision:
        return decide(
            plan,
            caller,
            asked,
            known,
            health,
            degraded=degraded,
            spending=spending,
            held=held,
            trial=trial,
        )

    decision = decided(signals)
    if barred := barring(decision):
        decision = decided(replace(signals, barred=barred))
    return Other(
        decision,
        held,
        _quality(plan, trial, decision, applied),
        _quality(plan, trial, applied, applied),
        None if known is None else known.corrections,
        barred,
    )


def _quality(plan: Plan, trial: Trial, of: Decision, applied: Decision) -> float | None:
    """By one table's numbers where it can be: a difference tells of routing then."""
    for name in (trial.candidate, trial.table) if of.models else ():
        if (model := plan.tables[name].models.get(of.models[0])) is not None:
            return model.quality[applied.task]
    return None
