"""Prompts that projects have kept: rows beside their decisions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from prism.ledger.insert import insert
from prism.ledger.sealing import Sealing
from prism.ledger.tables import prompts
from prism.prompt.kept import Prompt
from prism.routing.catalog import Prompts


@dataclass(frozen=True, slots=True)
class KeptPrompt:
    """A prompt as the ledger has it: redacted words, or encrypted ones."""

    how: Prompts
    kept: str = field(repr=False)


def sealed(prompts: Iterable[Prompt], sealing: Sealing) -> dict[str, KeptPrompt]:
    """What may be kept of each, by decision id; of some, nothing."""
    return {
        one.decision_id: KeptPrompt(one.how, kept)
        for one in prompts
        if (kept := sealing.sealed(one)) is not None
    }


def keep_prompts(connection: Connection, kept: Mapping[str, KeptPrompt]) -> None:
    """By decision id; what is there already is left as it is."""
    if not kept:
        return
    statement = insert(connection, prompts)
    statement = statement.on_conflict_do_nothing(index_elements=["decision_id"])
    rows = [
        {"decision_id": name, "how": str(one.how), "kept": one.kept} for name, one in kept.items()
    ]
    connection.execute(statement, rows)


def find_prompt(connection: Connection, decision_id: str) -> KeptPrompt | None:
    """The prompt of a decision, ``None`` where none is kept."""
    query = select(prompts.c.how, prompts.c.kept).where(prompts.c.decision_id == decision_id)
    row = connection.execute(query).first()
    return None if row is None else KeptPrompt(Prompts(row.how), row.kept)
