"""What comes of settling: what goes live together, and a verdict on each resource."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from prism.resources import Problem, Resource
from prism_operator.observed import Key


class Reason(StrEnum):
    """Why a resource is accepted or not: the reason of its condition Accepted."""

    ACCEPTED = "Accepted"
    INVALID = "Invalid"
    """Something in it is wrong, by itself or in the light of its table."""
    CONFLICT = "Conflict"
    """Another resource has the name, the project, the key or the place that it claims."""
    BREAKS_POLICIES = "BreaksPolicies"
    """Policies that are live would be wrong with this version of their table."""
    BREAKS_TABLES = "BreaksTables"
    """A table that is live and names this one its candidate would be wrong with this version."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of one resource.

    ``live`` is what is in force of it: its present version where it is accepted, else the
    last good one, else nothing. ``deleted_table`` names the table that was deleted although
    this policy or table uses it; that table's last version stays in force for it.
    """

    reason: Reason
    problems: tuple[Problem, ...]
    live: Resource | None
    deleted_table: str = ""

    @property
    def accepted(self) -> bool:
        return self.reason is Reason.ACCEPTED


@dataclass(frozen=True, slots=True)
class Settlement:
    """The resources that are live together, without an error between them.

    ``version`` is that of their snapshot, empty where there are none. ``withheld`` says why
    nothing changed, where nothing could: ``live`` is then what was live before. ``retained``
    are deleted tables that stay in ``live`` because policies or tables use them.
    """

    version: str
    live: Mapping[Key, Resource]
    verdicts: Mapping[Key, Verdict]
    retained: frozenset[Key] = frozenset()
    withheld: str = ""


NOTHING = Settlement("", {}, {})
"""Before anything was settled."""
