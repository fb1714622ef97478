"""Looking into a spec that may be partly wrong, so that lint can go on after a schema error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Spec = Mapping[str, Any]

# The schemas allow 256 entries at most; a longer list is refused, whatever is in the rest.
_MOST = 256


def mapping(value: Spec, name: str) -> Spec:
    """The mapping in a field, or an empty one."""
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def entries(value: Spec, name: str) -> Iterator[tuple[int, Spec]]:
    """Index and content of each mapping in a list field."""
    found = value.get(name)
    for index, item in enumerate(found[:_MOST] if isinstance(found, list) else ()):
        if isinstance(item, dict):
            yield index, item


def texts(value: Spec, name: str) -> Iterator[tuple[int, str]]:
    """Index and content of each text in a list field."""
    found = value.get(name)
    for index, item in enumerate(found[:_MOST] if isinstance(found, list) else ()):
        if isinstance(item, str):
            yield index, item


def text(value: Spec, name: str) -> str:
    """The text in a field, or empty."""
    found = value.get(name)
    return found if isinstance(found, str) else ""


def number(value: Spec, name: str) -> float | None:
    """The number in a field, or nothing."""
    found = value.get(name)
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    return found


def names(value: Spec, name: str) -> dict[str, Spec]:
    """The mappings of a list field by their ``name``; the first of each name."""
    found: dict[str, Spec] = {}
    for _, item in entries(value, name):
        if isinstance(item.get("name"), str):
            found.setdefault(item["name"], item)
    return found
