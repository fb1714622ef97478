"""The pages: each reads what it shows and gives its HTML. All of this runs in a thread."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from prism.console.asking import Asked
from prism.console.candidate import compared
from prism.console.force import health, in_force
from prism.console.heat import heats
from prism.console.keys import key_lines
from prism.console.lines import line_of
from prism.console.money import Baselines, best_models
from prism.console.quality import qualities
from prism.console.render import rendered
from prism.console.spend import spend
from prism.console.trial import MOST_DECISIONS, tried
from prism.exchange.targets import Live
from prism.ledger.finding import find, latest
from prism.ledger.grades import MOST, grades
from prism.ledger.listing import newest
from prism.ledger.store import Store
from prism.ledger.sums import Sums, sums
from prism.routing.catalog import Catalog, Table
from prism.routing.explanation import explanation_of
from prism.routing.record import Record
from prism.routing.tree import branches, title

LINES = 50
"""Decisions of one list."""
WITHIN_S = 10.0
"""Seconds that one page's questions to the ledger may take."""
Catalogs = tuple[Catalog | None, Catalog | None]


class NoLedger(Exception):
    """The page needs a ledger, and there is none."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of the server when the page was asked for. ``records`` are those of its memory
    that the page may need; ``secured``: whoever asks had to know a token."""

    asked: Asked
    now_s: float
    store: Store | None
    live: Live | None
    catalogs: Catalogs
    status: Mapping[str, Any]
    records: tuple[Record, ...] = ()
    secured: bool = False

    @property
    def table(self) -> Table | None:
        """The table that was asked for, else the default one."""
        live = self.catalogs[0]
        if live is None:
            return None
        return live.tables.get(self.asked.table or "") or live.tables[live.default_table]

    @property
    def common(self) -> dict[str, Any]:
        """What the filters offer, and the way out."""
        live = self.catalogs[0]
        tables = {} if live is None else live.tables
        return {
            "secured": self.secured,
            "tables": sorted(tables),
            "models": sorted({name for table in tables.values() for name in table.models}),
            "projects": [] if live is None else sorted({p.project for p in live.policies})[:200],
        }

    @property
    def best(self) -> Baselines:
        """The baselines of what is live."""
        return best_models({} if self.catalogs[0] is None else self.catalogs[0].tables)

    @contextmanager
    def ledger(self) -> Iterator[Connection]:
        """Raises ``NoLedger``, and ``Away`` where it does not answer in time."""
        if self.store is None:
            raise NoLedger
        with self.store.asking(WITHIN_S) as connection:
            yield connection


def overview(seen: Seen) -> str:
    """Where requests go, what they cost, and what is wrong just now."""
    with seen.ledger() as connection:
        span, only = seen.asked.span(seen.now_s), seen.asked.only()
        total = sums(connection, span, only, ()).get((), Sums())
        money = spend(connection, seen.asked, seen.now_s, seen.best, projects=False)
        maps = heats(connection, span, only, apart=False)
    return rendered(
        *("overview", "/", seen.asked),
        **{"sums": total, "spend": money, "heats": maps, "status": seen.status, **seen.common},
    )


def decisions(seen: Seen, before: str | None) -> str:
    """The newest decisions, or those ``before`` one of them."""
    if seen.store is None:
        lines = [line_of(record) for record in seen.records]
    else:
        with seen.ledger() as connection:
            since = seen.asked.span(seen.now_s).since_ms
            lines = newest(connection, seen.asked.only(), since, LINES, before)
    more = lines[-1].decision_id if seen.store is not None and len(lines) == LINES else None
    return rendered(
        *("decisions", "/decisions", seen.asked),
        lines=lines,
        before=before,
        more=more,
        kept=seen.store is not None,
        **seen.common,
    )


def decision(seen: Seen, name: str) -> str | None:
    """One decision explained; ``None`` where nobody knows it."""
    entry = None
    if seen.store is not None:
        with seen.ledger() as connection:
            entry = find(connection, name)
    if entry is not None:
        said = explanation_of(entry.record, entry.cost_usd, entry.feedback)
    elif seen.records:
        said = explanation_of(seen.records[0])
    else:
        return None
    values = {"said": said, "title": title(said), "branches": [*branches(said)], **seen.common}
    return rendered("decision", "/decisions", seen.asked, **values)


def routing(seen: Seen) -> str:
    """A heat map for each mode."""
    with seen.ledger() as connection:
        span, only = seen.asked.span(seen.now_s), seen.asked.only()
        maps = heats(connection, span, only, apart=True)
    return rendered("routing", "/routing", seen.asked, heats=maps, **seen.common)


def spending(seen: Seen) -> str:
    """Spend and savings."""
    with seen.ledger() as connection:
        money = spend(connection, seen.asked, seen.now_s, seen.best)
    return rendered("spend", "/spend", seen.asked, spend=money, **seen.common)


def quality(seen: Seen) -> str:
    """What people said of answers."""
    with seen.ledger() as connection:
        found = grades(connection, seen.asked.span(seen.now_s), seen.asked.only())
    table = seen.table
    values = {"found": qualities(found, table), "table": table, "most": MOST, **seen.common}
    return rendered("quality", "/quality", seen.asked, **values)


def table(seen: Seen) -> str:
    """The table in force."""
    return _table(seen, "", None)


def trial(seen: Seen, text: str) -> str:
    """The same with another table tried."""
    live, name = seen.catalogs[0], None if seen.table is None else seen.table.name
    if live is None or name is None:
        return _table(seen, text, None)
    records: list[Record] = []
    if seen.store is not None:
        with seen.ledger() as connection:
            since = seen.asked.span(seen.now_s).since_ms / 1000
            found = latest(connection, seen.asked.only(), since, MOST_DECISIONS)
            records = [entry.record for entry in found]
    return _table(seen, text, tried(text, live, name, records))


def candidate(seen: Seen) -> str:
    """Tables beside their candidates."""
    catalog, found = seen.catalogs[0], []
    if catalog is not None and seen.store is None:
        found = compared(None, catalog, seen.asked, seen.now_s)
    elif catalog is not None:
        with seen.ledger() as connection:
            found = compared(connection, catalog, seen.asked, seen.now_s)
    named = catalog is not None and seen.asked.table in catalog.tables
    values = {"found": found, "named": named, "kept": seen.store is not None, **seen.common}
    return rendered("candidate", "/candidate", seen.asked, **values)


def _table(seen: Seen, text: str, found: object) -> str:
    values = {
        "force": in_force(seen.catalogs, seen.asked.table),
        "status": seen.status,
        "text": text,
        "trial": found,
        "most": MOST_DECISIONS,
    }
    return rendered("table", "/table", seen.asked, **values, **seen.common)


def healthy(seen: Seen) -> str:
    """Health of models and keys, of the ledger and of the configuration."""
    counted: dict[str, Sums] = {}
    if seen.store is not None:
        with seen.ledger() as connection:
            span = seen.asked.span(seen.now_s)
            found = sums(connection, span, seen.asked.only(), ("model",))
            counted = {str(key[0]): one for key, one in found.items() if key[0] is not None}
    values = {
        "rows": health(seen.status, seen.table),
        "keys": key_lines(seen.live, seen.catalogs[0], seen.status["restingKeys"]),
        "counted": counted,
        "status": seen.status,
        "table": seen.table,
    }
    return rendered("health", "/health", seen.asked, **values, **seen.common)


def trouble(seen: Seen, heading: str, text: str) -> str:
    """What can't be shown, and why."""
    return rendered("trouble", "", seen.asked, heading=heading, text=text, **seen.common)
