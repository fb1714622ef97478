"""What is wrong with a resource, and where: for people, never a key or another secret."""

from __future__ import annotations

import difflib
import heapq
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

Path = tuple[str | int, ...]

_JSON = json.JSONEncoder(ensure_ascii=False, default=repr)
# A longer name has no near neighbour that would help.
_LONGEST_WORD = 128


class Severity(StrEnum):
    """An error keeps a resource from being used; a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to change, and its place.

    ``path`` is the JSON path inside the document (``spec.models[2].price``), empty where
    the problem is the document itself. ``line`` and ``column`` count from 1; they are 0
    where there is no text to point at. ``resource`` is ``RoutingTable/default``, or empty
    where the document does not say.
    """

    severity: Severity
    message: str
    path: str = ""
    file: str = ""
    line: int = 0
    column: int = 0
    resource: str = ""

    @property
    def is_error(self) -> bool:
        return self.severity is Severity.ERROR

    @property
    def place(self) -> str:
        """``config/table.yaml:12:7``, or the resource where there is no file."""
        if not self.file:
            return self.resource
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file

    def __str__(self) -> str:
        parts = (self.place, self.severity.value, self.path, self.message)
        return ": ".join(part for part in parts if part)

    def to_json(self) -> dict[str, Any]:
        """The problem as a JSON object with the attributes' names."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem that is not yet tied to a file: its path is still a tuple.

    ``at_key`` points at the field's name and not at its value.
    """

    path: Path
    message: str
    severity: Severity = Severity.ERROR
    at_key: bool = False


def warning(path: Path, message: str) -> Finding:
    return Finding(path, message, Severity.WARNING)


def has_errors(problems: Iterable[Problem]) -> bool:
    return any(problem.is_error for problem in problems)


def format_path(path: Path) -> str:
    """``("spec", "models", 2, "price")`` as ``spec.models[2].price``.

    Names that would read as path syntax are put in brackets and quotes.
    """
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part and part.isprintable() and not set(part) & set('.[]" ') and len(part) <= 80:
            text += f".{part}" if text else part
        else:
            text += f"[{show(part)}]"
    return text


def show(value: object, limit: int = 60) -> str:
    """A value as short one-line JSON, safe to print on a terminal."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    text = _JSON.encode(value)
    if not text.isprintable():
        text = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``; did you mean "x"?`` for the known word nearest to ``word``, or nothing."""
    if len(word) > _LONGEST_WORD:
        return ""
    by_folded = {name.casefold(): name for name in known}
    folded, pairs = word.casefold(), _pairs(word.casefold())
    # difflib is slow: it only looks at the few words that share most pairs of letters.
    likely = heapq.nlargest(3, by_folded, key=lambda name: len(pairs & _pairs(name)))
    near = difflib.get_close_matches(folded, likely, n=1, cutoff=0.55)
    return f"; did you mean {show(by_folded[near[0]])}?" if near else ""


@lru_cache(4096)
def _pairs(word: str) -> frozenset[str]:
    return frozenset(word[i : i + 2] for i in range(len(word)))


def listing(names: Iterable[str], limit: int = 12) -> str:
    """Names in order, separated by commas, cut off politely."""
    ordered = list(names)
    text = ", ".join(ordered[:limit])
    return text if len(ordered) <= limit else f"{text} and {len(ordered) - limit} more"
