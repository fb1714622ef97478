"""A resource that was read, checked and completed with its defaults."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from prism.resources.problem import Finding, Problem, format_path
from prism.resources.source import Source

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Resource:
    """A valid RoutingTable or ProjectPolicy.

    ``spec`` has every default set and every value checked. ``generation`` is a short hash
    of it, so that a change of comments or order of fields is no change. ``file`` is empty
    and ``line`` is 0 where the resource did not come from a file.
    """

    kind: str
    name: str
    namespace: str
    spec: Mapping[str, Any]
    generation: str
    file: str = ""
    line: int = 0
    source: Source | None = field(default=None, repr=False, compare=False)
    _made: dict[str, tuple[Any, Any]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def label(self) -> str:
        """``RoutingTable/default``."""
        return f"{self.kind}/{self.name}"

    @property
    def place(self) -> str:
        """``config/table.yaml:3``, or the label where there is no file."""
        return f"{self.file}:{self.line}" if self.file else self.label

    def made(self, what: str, using: Any, make: Callable[[], T]) -> T:
        """Something that follows from this resource and from ``using`` alone: made once, and
        again only where ``using`` is another. With one change among thousands of resources
        nearly everything is as it was; what was made goes when the resource does.
        """
        known = self._made.get(what)
        if known is None or known[0] != using:
            known = self._made[what] = (using, make())
        found: T = known[1]
        return found

    def problem(self, finding: Finding) -> Problem:
        """A finding about this resource, with its place."""
        return located(finding, self.label, self.file, self.source)


def located(finding: Finding, label: str, file: str, source: Source | None) -> Problem:
    """A problem with file, line and column, where there is a source to look them up in."""
    line = column = 0
    if source is not None:
        line, column = source.position(finding.path, finding.at_key)
    path = format_path(finding.path)
    return Problem(finding.severity, finding.message, path, file, line, column, label)


def content_hash(content: Any) -> str:
    """Twelve hex digits that differ where the JSON content does."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
