"""Records and outcomes for tests of the ledger, as many as are wanted."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from sqlalchemy import func, select
from tests.unit.tables import ECO, TOOLS, catalog, classified, policy, signals, table

from prism.ledger.batch import write_batch
from prism.ledger.entry import Ended
from prism.ledger.store import Store
from prism.ledger.tables import decisions
from prism.routing.catalog import Policy
from prism.routing.decide import Health, decide
from prism.routing.identify import Caller
from prism.routing.plan import Plan, compile_plan
from prism.routing.record import Outcome, Record

START_S = 1_790_000_000.0
"""When the first decision was made, in seconds since the epoch."""


def decided(number: int = 0, held: Policy | None = None, model: str = "auto") -> Record:
    """A decision of project acme, made ``number`` seconds after the first one."""
    held = held or policy()
    plan = _plan(held)
    asks = signals(mode=ECO, needs=frozenset({TOOLS}), model=model)
    health = Health(frozenset({"small"}), {"medium": 312.5})
    decision = decide(plan, Caller(held, plan.default_table), asks, classified(), health)
    time = START_S + number
    name = f"{int(time * 1000):012x}{number:016x}"
    return Record(name, time, plan.version, asks, classified(), health, True, decision)


@cache
def _plan(held: Policy) -> Plan:
    return compile_plan(catalog(held, tables=(table(),)))


def ended(record: Record, cost_usd: float | None = 0.0125) -> Ended:
    """Its outcome: answered by its first model."""
    outcome = Outcome(200, "acorn", "medium", 1, 1000, 200, 10, 320.25, 1500.5)
    return Ended(record.decision_id, outcome, cost_usd)


def whole(record: Record) -> Record:
    """The record with that outcome."""
    return replace(record, outcome=ended(record).outcome)


def write(store: Store, records: list[Record], outcomes: list[Ended] | None = None) -> None:
    """Write them in one batch."""
    with store.writing() as connection:
        write_batch(connection, records, {one.decision_id: one for one in outcomes or []})


def count(store: Store) -> int:
    """Decisions in the ledger."""
    with store.reading() as connection:
        return connection.scalar(select(func.count()).select_from(decisions)) or 0
