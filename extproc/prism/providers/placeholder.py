"""A value that satisfies a JSON Schema: what a model answers when it may only answer JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# A schema that requires itself has no finite value; models stop at some depth too.
_DEEPEST = 24
_LONGEST = 100

_FORMATS = {
    "date": "2026-01-01",
    "date-time": "2026-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "email": "someone@example.com",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "ipv4": "192.0.2.1",
}


def placeholder(schema: Mapping[str, Any]) -> Any:
    """A value for ``schema``: what is required and no more, by type."""
    return _value(schema, schema, 0)


def _value(schema: object, root: Mapping[str, Any], depth: int) -> Any:
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return None
    for word in ("const", "default"):
        if word in schema:
            return schema[word]
    for word in ("enum", "examples"):
        if isinstance(listed := schema.get(word), list) and listed:
            return listed[0]
    if isinstance(reference := schema.get("$ref"), str):
        return _value(_resolved(reference, root), root, depth + 1)
    for word in ("anyOf", "oneOf"):
        if isinstance(listed := schema.get(word), list) and listed:
            return _value(listed[0], root, depth + 1)
    if isinstance(parts := schema.get("allOf"), list) and parts:
        return _value(_merged(schema, parts, root), root, depth + 1)
    return _of_type(schema, root, depth)


def _of_type(schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> Any:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = kind[0] if kind else None
    if kind is None and "properties" in schema:
        kind = "object"
    match kind:
        case "object":
            properties = schema.get("properties", {})
            return {
                name: _value(properties.get(name, {}), root, depth + 1)
                for name in schema.get("required", ())
            }
        case "array":
            length = min(int(schema.get("minItems", 0)), _LONGEST)
            return [_value(schema.get("items", {}), root, depth + 1) for _ in range(length)]
        case "integer" | "number":
            return _number(schema, kind)
        case "boolean":
            return False
        case "null":
            return None
    return _string(schema)


def _string(schema: Mapping[str, Any]) -> str:
    text = _FORMATS.get(str(schema.get("format")), "text")
    text = text.ljust(int(schema.get("minLength", 0)), "x")
    longest = schema.get("maxLength")
    return text if longest is None else text[: int(longest)]


def _number(schema: Mapping[str, Any], kind: str) -> float | int:
    low = schema.get("minimum")
    if low is None and (above := schema.get("exclusiveMinimum")) is not None:
        low = above + 1
    high = schema.get("maximum")
    number = low if low is not None else min(0, high) if high is not None else 0
    step = schema.get("multipleOf")
    if step:
        number = -(-number // step) * step
    # -(-x // 1) rounds up, so that an integer stays above a broken minimum.
    return int(-(-number // 1)) if kind == "integer" else number


def _resolved(reference: str, root: Mapping[str, Any]) -> object:
    """What ``#/$defs/Name`` points at; anything outside the document is not looked up."""
    found: object = root
    for step in reference.removeprefix("#").split("/")[1:]:
        step = step.replace("~1", "/").replace("~0", "~")
        found = found.get(step) if isinstance(found, dict) else None
    return found


def _merged(
    schema: Mapping[str, Any], parts: list[Any], root: Mapping[str, Any]
) -> Mapping[str, Any]:
    whole = {word: value for word, value in schema.items() if word != "allOf"}
    for part in parts:
        if isinstance(part, dict) and isinstance(part.get("$ref"), str):
            part = _resolved(part["$ref"], root)
        if not isinstance(part, dict):
            continue
        properties = {**whole.get("properties", {}), **part.get("properties", {})}
        required = [*whole.get("required", ()), *part.get("required", ())]
        whole = {**whole, **part}
        if properties:
            whole.update(properties=properties, required=required)
    return whole
