"""Where configurations come from: a folder, or the operator of a cluster."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from prism.resources import Problem, Resource, compile_resources, has_errors
from prism.routing.catalog import Catalog


class Origin(StrEnum):
    """Where a configuration was read from; shown in ``/status``."""

    FOLDER = "folder"
    OPERATOR = "operator"
    STORED = "stored snapshot"
    LAST_GOOD = "last good"


@dataclass(frozen=True, slots=True)
class Offer:
    """A configuration that can be compiled; ``problems`` are warnings."""

    origin: Origin
    catalog: Catalog
    resources: Sequence[Resource]
    problems: Sequence[Problem] = ()


class BrokenConfiguration(Exception):
    """A configuration can't be used; ``problems`` says why, each with its place."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


class Source(Protocol):
    """Gives configurations, the newest only."""

    def offers(self) -> AsyncIterator[Offer | BrokenConfiguration]:
        """Each configuration once it is there, until cancelled."""
        ...

    async def answer(self, offered: Offer | BrokenConfiguration, refusal: str) -> None:
        """What became of it: live where ``refusal`` is empty."""
        ...

    def status(self) -> dict[str, Any]:
        """What ``/status`` shows of it."""
        ...


def compiled(origin: Origin, resources: Sequence[Resource]) -> Offer:
    """The offer of checked resources; raises ``BrokenConfiguration``."""
    catalog, problems = compile_resources(resources)
    if has_errors(problems):
        raise BrokenConfiguration(problems)
    return Offer(origin, catalog, resources, problems)
