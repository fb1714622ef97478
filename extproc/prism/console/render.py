"""Pages from templates: how numbers and times are written, and what every page has."""

from __future__ import annotations

import hashlib
import time
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment

from prism import __version__
from prism.console.asking import LABELS, WITHOUT, Asked
from prism.report.page import environment
from prism.routing.catalog import MODES, TASKS

STATIC = Path(__file__).parent / "static"
FILES = {
    "console.css": "text/css",
    "console.js": "text/javascript",
    "htmx.min.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
"""What pages fetch, all of it from here."""
PAGES = (
    ("/", "Overview"),
    ("/decisions", "Decisions"),
    ("/routing", "Routing"),
    ("/spend", "Spend"),
    ("/quality", "Quality"),
    ("/table", "Table"),
    ("/candidate", "Candidate"),
    ("/health", "Health"),
)


def rendered(template: str, path: str, asked: Asked, **values: Any) -> str:
    """The HTML of ``templates/NAME.html``; ``path`` is the page's, of ``PAGES``."""
    text: str = (
        _templates()
        .get_template(f"{template}.html")
        .render(
            path=path,
            asked=asked,
            pages=PAGES,
            tasks=TASKS,
            modes=MODES,
            windows=LABELS,
            without=WITHOUT,
            version=__version__,
            mark=mark(),
            now=time.time(),
            **values,
        )
    )
    return text


@cache
def mark() -> str:
    """Changes with any file that pages fetch, so that browsers keep them until then."""
    digest = hashlib.sha256()
    for name in FILES:
        digest.update((STATIC / name).read_bytes())
    return digest.hexdigest()[:12]


@cache
def _templates() -> Environment:
    made = environment("prism.console")
    made.globals["pairs"] = lambda names: [(name, name) for name in names]
    made.filters |= {
        "number": lambda value: f"{value:,.0f}",
        "whole": lambda share: f"{share:.0%}",
        "score": lambda value: f"{value:.2f}",
        "duration": duration,
        "moment": moment,
        "made": made_at,
        "iso": lambda seconds: datetime.fromtimestamp(seconds, UTC).isoformat("T", "seconds"),
    }
    return made


def duration(ms: float | None) -> str:
    """Milliseconds for people."""
    if ms is None:
        return "–"
    return f"{ms:.0f} ms" if ms < 1000 else f"{ms / 1000:.1f} s"


def moment(seconds: float) -> str:
    """A time, UTC."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}"


def made_at(decision_id: str) -> str:
    """When a decision was made, UTC, without the year: ids begin with it. The id, where not."""
    try:
        return moment(int(decision_id[:12], 16) / 1000)[5:]
    except (ValueError, OverflowError):
        return decision_id
