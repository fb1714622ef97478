"""The schemas of both kinds, and what Kubernetes does with one: prune, default, validate.

``schema/*.yaml`` are structural schemas (OpenAPI 3.0, which is JSON Schema draft 4 in all that
is used here). The CRDs embed them as they are. Unlike a CRD, Prism takes unknown fields for
errors; ``additionalProperties: false`` cannot be written next to ``properties`` in a CRD, so
the validator's copy gets it here.
"""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

import yaml
from jsonschema import Draft4Validator, validators
from jsonschema.exceptions import ValidationError
from jsonschema.protocols import Validator

from prism.resources.problem import Path

GROUP = "routing.prism.dev"
API_VERSION = f"{GROUP}/v1alpha1"
ROUTING_TABLE = "RoutingTable"
PROJECT_POLICY = "ProjectPolicy"
KINDS: tuple[str, ...] = (ROUTING_TABLE, PROJECT_POLICY)


@lru_cache
def schema(kind: str) -> Mapping[str, Any]:
    """The structural schema of a kind's ``spec``. Not to be changed by the caller."""
    text = files(__package__).joinpath("schema", f"{kind.lower()}.yaml").read_text("utf-8")
    loaded: dict[str, Any] = yaml.load(text, Loader=yaml.CSafeLoader)
    return loaded


@lru_cache
def validator(kind: str) -> Validator:
    """A strict validator of a kind's ``spec`` after defaulting."""
    made: Validator = _STRICT(strict(schema(kind)))
    return made


def at(kind: str, path: Path) -> Mapping[str, Any]:
    """The schema of the value at ``path`` below ``spec``; empty for an unknown field."""
    node: Mapping[str, Any] = schema(kind)
    for part in path:
        child = node.get("items") if isinstance(part, int) else node.get("properties", {}).get(part)
        if child is None:
            return {}
        node = child
    return node


def strict(node: Mapping[str, Any]) -> dict[str, Any]:
    """A copy that knows its own fields only."""
    result = dict(node)
    if "properties" in node:
        result["properties"] = {name: strict(sub) for name, sub in node["properties"].items()}
        result["additionalProperties"] = False
    if "items" in node:
        result["items"] = strict(node["items"])
    return result


def defaulted(value: Any, node: Mapping[str, Any], nulls: list[Path], path: Path = ()) -> Any:
    """A copy of ``value`` with every default set, the way the API server does it.

    A null field counts as absent (none of ours is nullable); its path is added to ``nulls``.
    Whole numbers become ``int``, so that 2 and 2.0 are the same content.
    """
    if isinstance(value, dict):
        properties: Mapping[str, Mapping[str, Any]] = node.get("properties", {})
        result: dict[str, Any] = {}
        for name, item in value.items():
            if item is None and name in properties:
                nulls.append((*path, name))
            else:
                result[name] = defaulted(item, properties.get(name, {}), nulls, (*path, name))
        for name, sub in properties.items():
            if name not in result and "default" in sub:
                default = copy.deepcopy(sub["default"])
                result[name] = defaulted(default, sub, nulls, (*path, name))
        return result
    if isinstance(value, list):
        items: Mapping[str, Any] = node.get("items", {})
        return [defaulted(item, items, nulls, (*path, i)) for i, item in enumerate(value)]
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


def _is_number(_: object, value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isinstance(value, int) or math.isfinite(value)


def _is_integer(_: object, value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


Check = Callable[[Validator, Any, Any, Mapping[str, Any]], Iterator[ValidationError]]


@lru_cache
def _compiled(pattern: str) -> re.Pattern[str]:
    # Kubernetes' "$" is the end of the text; Python's also matches before a last newline.
    return re.compile(pattern[:-1] + r"\Z" if pattern.endswith("$") else pattern)


def _pattern(_: Validator, pattern: str, value: Any, __: Any) -> Iterator[ValidationError]:
    if isinstance(value, str) and not _compiled(pattern).search(value):
        yield ValidationError("does not match")


_PARTS: dict[int, tuple[Mapping[str, Any], Validator]] = {}


def _part(node: Mapping[str, Any]) -> Validator:
    """The validator of a part of a schema. The library would make one for each value that it
    looks at, which takes longer than the looking. Schemas are made once, so one each will do."""
    known = _PARTS.get(id(node))
    if known is None:
        known = _PARTS[id(node)] = (node, _STRICT(node))
    return known[1]


def _below(value: Any, node: Mapping[str, Any], name: str | int) -> Iterator[ValidationError]:
    for error in _part(node).iter_errors(value):
        error.path.appendleft(name)
        yield error


def _properties(
    _: Validator, properties: Mapping[str, Any], value: Any, __: Mapping[str, Any]
) -> Iterator[ValidationError]:
    if isinstance(value, dict):
        for name, node in properties.items():
            if name in value:
                yield from _below(value[name], node, name)


def _items(
    _: Validator, items: Any, value: Any, node: Mapping[str, Any]
) -> Iterator[ValidationError]:
    """Entries of a list that is too long are not looked at one by one."""
    if isinstance(value, list) and len(value) <= node["maxItems"]:
        for index, item in enumerate(value):
            yield from _below(item, items, index)


def _list_type(
    validator: Validator, kind: str, value: Any, node: Mapping[str, Any]
) -> Iterator[ValidationError]:
    """Sets hold nothing twice, maps no key twice; the message is the first one's index."""
    if kind == "atomic" or not isinstance(value, list) or len(value) > node["maxItems"]:
        return
    keys = node.get("x-kubernetes-list-map-keys", ())
    seen: dict[tuple[Any, ...], int] = {}
    for index, item in enumerate(value):
        if keys and not isinstance(item, dict):
            continue
        identity = tuple(item.get(key) for key in keys) if keys else (item,)
        if not all(isinstance(part, str) for part in identity):
            continue
        first = seen.setdefault(identity, index)
        if first != index:
            yield ValidationError(str(first), path=(index, *keys[:1]))


_TYPES = Draft4Validator.TYPE_CHECKER.redefine_many(
    {
        "number": _is_number,
        "integer": _is_integer,
    }
)
_STRICT: Any = validators.extend(  # type: ignore[no-untyped-call]
    Draft4Validator,
    {
        "properties": _properties,
        "items": _items,
        "pattern": _pattern,
        "x-kubernetes-list-type": _list_type,
    },
    type_checker=_TYPES,
)
