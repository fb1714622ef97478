"""Rows of the decision order's tables: what is asked, and what must come out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from prism.routing.catalog import Policy
from prism.routing.decide import Health, decide
from prism.routing.decision import Decision, ErrorCode, Step
from prism.routing.identify import Caller
from prism.routing.plan import compile_plan
from prism.routing.signals import Classification

from .tables import (
    catalog,
    classified,
    signals,
    table,
)

NONE: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Row:
    """What is asked under which policy, and what must come out.

    ``says`` is a pair of step and words that one reason must have.
    """

    id: str
    models: tuple[str, ...] = ()
    policy: Policy | None = None
    asks: dict[str, Any] = field(default_factory=dict)
    table: dict[str, Any] = field(default_factory=dict)
    classification: Classification | None = field(default_factory=classified)
    failing: frozenset[str] = NONE
    degraded: str | None = None
    says: tuple[Step, str] | None = None
    refused: tuple[int, ErrorCode, str] | None = None


def made(row: Row) -> Decision:
    tab = table(**row.table)
    plan = compile_plan(catalog(*([row.policy] if row.policy else []), tables=(tab,)))
    return decide(
        plan,
        Caller(row.policy, tab),
        signals(**row.asks),
        row.classification,
        Health(row.failing),
        degraded=row.degraded,
    )
