"""What a page is asked for: the filters, as they are in its URL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from urllib.parse import urlencode

from prism.ledger.stretches import HOUR_MS
from prism.ledger.sums import NO_PROJECT, Only, Span
from prism.routing.catalog import MODES, TASKS

WITHOUT = "(none)"
"""What the URL says for decisions that no policy held for."""
_DAY_MS = 24 * HOUR_MS
_LONGEST = 256


class BadFilter(ValueError):
    """A filter of the URL means nothing; the message says which, and what it may be."""


class Window(StrEnum):
    """How far back a page looks."""

    HOUR = "1h"
    DAY = "24h"
    WEEK = "7d"
    MONTH = "30d"


_LENGTHS = {
    Window.HOUR: (HOUR_MS, HOUR_MS // 12),
    Window.DAY: (_DAY_MS, HOUR_MS),
    Window.WEEK: (7 * _DAY_MS, 6 * HOUR_MS),
    Window.MONTH: (30 * _DAY_MS, _DAY_MS),
}
"""How long each is, and one stretch of a chart of it, in milliseconds."""
LABELS = {
    Window.HOUR: "last hour",
    Window.DAY: "last 24 hours",
    Window.WEEK: "last 7 days",
    Window.MONTH: "last 30 days",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """The filters; ``None``: any."""

    window: Window = Window.DAY
    project: str | None = None
    table: str | None = None
    task: str | None = None
    mode: str | None = None
    model: str | None = None

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Asked:
        """Those of a URL's query; empty ones count as not there. Raises ``BadFilter``."""
        said = {f.name: query[f.name] for f in fields(cls) if query.get(f.name)}
        for name, value in said.items():
            if len(value) > _LONGEST:
                raise BadFilter(f"{name} is longer than {_LONGEST} characters")
        for name, known in (("window", [*Window]), ("task", TASKS), ("mode", MODES)):
            if name in said and said[name] not in known:
                raise BadFilter(f"{name} must be one of {', '.join(known)}")
        window = Window(said.pop("window", Window.DAY))
        return cls(window, **said)

    def query(self, **changed: str | None) -> str:
        """The query that asks for the same, but for what is ``changed``: with its ``?``."""
        said: dict[str, str | None] = {f.name: getattr(self, f.name) for f in fields(self)}
        if self.window is Window.DAY:
            del said["window"]
        known = {name: value for name, value in {**said, **changed}.items() if value}
        return f"?{urlencode(known)}" if known else ""

    def only(self) -> Only:
        """The same for the ledger."""
        project = NO_PROJECT if self.project == WITHOUT else self.project
        return Only(project, self.table, self.task, self.mode, self.model)

    @property
    def label(self) -> str:
        """The window in words."""
        return LABELS[self.window]

    @property
    def stretch_ms(self) -> int:
        """How long one stretch of a chart is."""
        return _LENGTHS[self.window][1]

    def span(self, now_s: float) -> Span:
        """From the beginning of a stretch until now (seconds since the epoch)."""
        length, stretch = _LENGTHS[self.window]
        now = round(now_s * 1000) + 1
        since = now - length
        return Span(since - since % stretch, now)
