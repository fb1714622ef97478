"""What the route stage asks those around it, and what it leaves for the record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from prism.routing.budget import Spending
from prism.routing.catalog import Table
from prism.routing.decision import Decision, Refusal
from prism.routing.racing import Races
from prism.routing.signals import Classification, Signals
from prism.routing.sticking import Held
from prism.routing.trial import Trial

NO_RACES = Races()
"""Nothing is known of races: none is held back."""
Recall = Callable[[str], Held | None]
"""What is remembered of a conversation."""
MayRetry = Callable[[Table], bool]
"""Whether a table's budget of further attempts leaves any."""


@dataclass(frozen=True, slots=True)
class Routed:
    """A decision with the inputs that it was made of, for the record."""

    signals: Signals
    classification: Classification | None
    decision: Decision
    race_allowed: bool
    retry_allowed: bool
    spending: Spending
    held: Held | None
    trial: Trial | None = None

    @property
    def refusal(self) -> Refusal | None:
        """Why there is no model, where there is none."""
        return self.decision.refusal


def forgetful(_: str) -> Held | None:
    """Nothing is remembered of any conversation."""
    return None


def always(_: Table) -> bool:
    """A budget without bounds."""
    return True
