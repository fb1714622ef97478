"""An object of a request, taken apart member by member so that none is overlooked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from prism.translate.untranslatable import Untranslatable

_Kind = TypeVar("_Kind", str, bool, int, dict[str, Any], list[Any])
_WORDS: Mapping[type, str] = {
    str: "a string",
    bool: "true or false",
    int: "an integer",
    dict: "an object",
    list: "an array",
}
UNKNOWN = "This member has no counterpart in the other API that Prism knows of."


class Fields:
    """One JSON object at ``path``. A member that is null counts as not there.

    Members are taken out; ``done`` refuses what is left over, since leaving it out would
    change what the caller asked for.
    """

    __slots__ = ("_left", "path")

    def __init__(self, value: object, path: str = "") -> None:
        self.path = path
        if not isinstance(value, dict):
            raise Untranslatable(path, "This must be an object.")
        self._left: dict[str, Any] = {name: v for name, v in value.items() if v is not None}

    def at(self, name: str) -> str:
        """The path of a member."""
        return f"{self.path}.{name}" if self.path else name

    def any(self, name: str) -> Any:
        """A member of whatever type, ``None`` where it is missing."""
        return self._left.pop(name, None)

    def get(self, name: str, kind: type[_Kind]) -> _Kind | None:
        """A member that must have a type; raises ``Untranslatable`` where it has another."""
        value = self._left.pop(name, None)
        if value is None:
            return None
        # To Python true is an integer; to JSON it is not.
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise Untranslatable(self.at(name), f"This must be {_WORDS[kind]}.")
        return value

    def need(self, name: str, kind: type[_Kind]) -> _Kind:
        """A member that must be there."""
        value = self.get(name, kind)
        if value is None:
            raise Untranslatable(self.at(name), "This is missing.")
        return value

    def number(self, name: str) -> float | int | None:
        """A number, as it was written."""
        value = self._left.pop(name, None)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Untranslatable(self.at(name), "This must be a number.")
        return value

    def ignore(self, names: Iterable[str]) -> None:
        """Leave out members that change nothing by their meaning."""
        for name in names:
            self._left.pop(name, None)

    def refuse(self, reasons: Mapping[str, str]) -> None:
        """Refuse members, each for its own reason."""
        for name in self._left:
            if name in reasons:
                raise Untranslatable(self.at(name), reasons[name])

    def done(self) -> None:
        """Refuse whatever has not been taken."""
        for name in self._left:
            raise Untranslatable(self.at(name[:100]), UNKNOWN)


def each(values: list[Any], path: str) -> Iterator[tuple[Any, str]]:
    """The elements of an array with their paths."""
    return ((value, f"{path}[{index}]") for index, value in enumerate(values))
