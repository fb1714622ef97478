"""Which provider keys are there, which are missing and which rest: by name, never by value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from prism.exchange.targets import Live
from prism.routing.catalog import Catalog


@dataclass(slots=True)
class KeyLine:
    """A key of a provider. ``rests`` are its rests as ``/status`` has them, one for each model."""

    provider: str
    key: str
    there: bool
    rests: list[Mapping[str, Any]] = field(default_factory=list)


def key_lines(
    live: Live | None, catalog: Catalog | None, resting: Sequence[Mapping[str, Any]]
) -> list[KeyLine]:
    """A line for each key that a table names, by provider."""
    if live is None or catalog is None:
        return []
    there = {(target.provider, key.name) for target in live.targets.values() for key in target.keys}
    lines = {
        (provider.name, credential.key): KeyLine(
            provider.name, credential.key, (provider.name, credential.key) in there
        )
        for table in catalog.tables.values()
        for provider in table.providers.values()
        for credential in provider.credentials
    }
    for rest in resting:
        line = lines.get((str(rest["provider"]), str(rest["key"])))
        if line is not None:
            line.rests.append(rest)
    return sorted(lines.values(), key=lambda line: (line.provider, line.key))
