"""Placeholders satisfy the schemas they are made for."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import validate

from prism.providers.placeholder import placeholder

SCHEMAS: list[dict[str, Any]] = [
    {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
    {"properties": {"a": {"type": "null"}}, "required": ["a"], "additionalProperties": False},
    {"type": "string", "minLength": 10, "maxLength": 12},
    {"type": "string", "maxLength": 2},
    {"type": "string", "format": "date-time"},
    {"type": ["integer", "null"], "minimum": 3},
    {"type": "integer", "exclusiveMinimum": 3, "multipleOf": 5},
    {"type": "integer", "minimum": 2.5},
    {"type": "number", "maximum": -4},
    {"type": "boolean"},
    {"type": "array", "items": {"enum": ["x", "y"]}, "minItems": 2},
    {"const": {"a": 1}},
    {"anyOf": [{"type": "integer"}, {"type": "null"}]},
    {
        "allOf": [
            {"$ref": "#/$defs/named"},
            {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]},
        ],
        "$defs": {
            "named": {
                "type": "object",
                "properties": {"name": {"type": "string"}},
                "required": ["name"],
            }
        },
    },
    {
        "$ref": "#/$defs/tree",
        "$defs": {
            "tree": {
                "type": "object",
                "properties": {"nodes": {"type": "array", "items": {"$ref": "#/$defs/tree"}}},
                "required": ["nodes"],
            }
        },
    },
    {},
]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_placeholder_satisfies_its_schema(schema: dict[str, Any]):
    validate(placeholder(schema), schema)


def test_a_schema_that_requires_itself_ends():
    endless = {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}
    assert isinstance(placeholder(endless), dict)
    assert placeholder({"allOf": [{"$ref": "#"}]}) is None
