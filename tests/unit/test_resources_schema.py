"""The schema files are structural, complete, and told the same everywhere."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator

from prism.resources import KINDS
from prism.resources.explain import PATTERNS
from prism.resources.reference import page
from prism.resources.schema import defaulted, schema, strict

ROOT = Path(__file__).parents[2]
# What a CRD's structural schema may say; the API server refuses the rest.
ALLOWED = {
    "type", "description", "properties", "required", "items", "enum", "default", "format",
    "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "pattern",
    "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-validations",
}  # fmt: skip


def nodes(kind: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    def walk(path: str, node: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
        yield path, node
        for name, sub in node.get("properties", {}).items():
            yield from walk(f"{path}.{name}", sub)
        if "items" in node:
            yield from walk(f"{path}[]", node["items"])

    yield from walk(kind, schema(kind))


ALL = [pair for kind in KINDS for pair in nodes(kind)]


@pytest.mark.parametrize(("path", "node"), ALL, ids=[path for path, _ in ALL])
def test_a_node_is_structural(path: str, node: Mapping[str, Any]) -> None:
    assert set(node) <= ALLOWED
    assert node["type"] in ("object", "array", "string", "number", "integer", "boolean")
    if not path.endswith("[]"):
        assert node["description"].strip().endswith((".", ").")), "kubectl explain shows it"
    if node["type"] == "object":
        assert set(node.get("required", ())) <= set(node["properties"])
    if node["type"] == "array":
        assert node["maxItems"], "unbounded lists make CEL rules too dear"
        assert node["x-kubernetes-list-type"] in ("atomic", "set", "map")
        for key in node.get("x-kubernetes-list-map-keys", ()):
            assert key in node["items"]["required"]
    if node["type"] == "string" and "enum" not in node:
        assert node["maxLength"]
    if "pattern" in node:
        assert node["pattern"] in PATTERNS, "say in words what the pattern asks for"
        re.compile(node["pattern"])
    if "default" in node:
        value = defaulted(node["default"], node, [])
        Draft4Validator(strict(node)).validate(value)


def test_no_words_for_patterns_that_are_gone() -> None:
    assert set(PATTERNS) == {node["pattern"] for _, node in ALL if "pattern" in node}


def test_the_reference_page_is_current() -> None:
    text = (ROOT / "docs/reference/resources.md").read_text("utf-8")
    assert text == page(), "python -m prism.resources.reference > docs/reference/resources.md"
