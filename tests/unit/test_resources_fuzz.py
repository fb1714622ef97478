"""Whatever comes in: no crash, no resource that has errors, no table that cannot be compiled."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prism.resources import (
    Resource,
    compile_resources,
    has_errors,
    read_document,
    read_text,
    to_policy,
    to_table,
)
from prism.resources.problem import Problem
from prism.routing.plan import compile_plan

VALID = Path(__file__).parents[1] / "data/resources/valid"
TEXTS = [path.read_bytes() for path in sorted(VALID.glob("*.yaml"))]
DOCUMENTS = [
    document
    for text in TEXTS
    for document in yaml.safe_load_all(text)
    if document and "<<" not in str(document)
]
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["auto", "gpt-5-mini", "openai", "eco", "code", "Open", "30s", "us"])
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(SCALARS, inner, max_size=4),
    max_leaves=12,
)
QUICK = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])


def hold(resources: list[Resource], problems: list[Problem]) -> None:
    """What must be true of every reading."""
    for problem in problems:
        text = str(problem)
        assert text.isprintable()
        assert len(text) < 1500
    refused = {(p.resource, p.file) for p in problems if p.is_error and p.resource}
    for resource in resources:
        if resource.kind == "RoutingTable":
            to_table(resource)
        else:
            to_policy(resource)
    if not refused:
        catalog, more = compile_resources(resources)
        if not has_errors(more):
            compile_plan(catalog)


@QUICK
@given(st.binary(max_size=200))
def test_any_bytes(content: bytes) -> None:
    hold(*read_text(content, "x.yaml"))


@QUICK
@given(st.text(alphabet=":-[]{}&*!|>'\"%@#?, \n\tab1~<=.", max_size=60))
def test_any_yaml_like_text(content: str) -> None:
    hold(*read_text(content, "x.yaml"))


@QUICK
@given(st.sampled_from(TEXTS), st.data())
def test_a_good_file_with_a_part_replaced(text: bytes, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 40)))
    hold(*read_text(text[:start] + data.draw(st.binary(max_size=8)) + text[end:], "x.yaml"))


@QUICK
@given(ANYTHING)
def test_any_structure_as_yaml(value: object) -> None:
    hold(*read_text(yaml.safe_dump(value, allow_unicode=True), "x.yaml"))


@QUICK
@given(st.sampled_from(DOCUMENTS), st.data(), ANYTHING)
def test_a_good_document_with_a_value_replaced(
    document: dict[str, Any], data: st.DataObject, value: object
) -> None:
    changed = copy.deepcopy(document)
    node: Any = changed
    for _ in range(data.draw(st.integers(0, 5))):
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        inner = [key for key in keys if isinstance(node[key], dict | list) and node[key]]
        if not inner:
            break
        node = node[data.draw(st.sampled_from(inner))]
    keys = list(node) if isinstance(node, dict) else list(range(len(node)))
    node[data.draw(st.sampled_from(keys))] = value
    resource, problems = read_document(changed)
    assert not has_errors(problems) if resource else problems
    hold([resource] if resource else [], problems)
    hold(*read_text(yaml.safe_dump(changed, allow_unicode=True), "x.yaml"))
