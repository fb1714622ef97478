"""The chart's values against their schema, their documentation and the code's version."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

import prism

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "prism"
SCHEMA = json.loads((CHART / "values.schema.json").read_text("utf-8"))
DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
PAGE = ROOT / "docs" / "kubernetes.md"


def _script() -> Any:
    spec = importlib.util.spec_from_file_location("values_table", ROOT / "charts/values_table.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


values_table = _script()


def properties(schema: dict[str, Any]) -> dict[str, Any] | None:
    """What an object may have in it; ``None`` where that is free."""
    if "$ref" in schema:
        schema = SCHEMA["definitions"][schema["$ref"].rpartition("/")[2]]
    found: dict[str, Any] | None = schema.get("properties")
    if found is not None:
        assert schema["additionalProperties"] is False, schema
    return found


def leaves(values: Any, schema: dict[str, Any], path: str = "") -> Iterator[str]:
    """The paths of all values that the schema does not look into any further."""
    inside = properties(schema)
    if inside is None or not isinstance(values, dict) or not values:
        yield path
        return
    for name, value in values.items():
        assert name in inside, f"{path}.{name} is not in values.schema.json"
        yield from leaves(value, inside[name], f"{path}.{name}".lstrip("."))


def test_the_schema_is_one_and_takes_the_defaults() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    jsonschema.Draft7Validator(SCHEMA).validate(DEFAULTS)


@pytest.mark.parametrize(
    "file",
    [*(CHART / "ci").glob("*.yaml"), ROOT / "examples/kubernetes/kind-values.yaml"],
    ids=lambda path: path.stem,
)
def test_sets_of_values_are_valid(file: Path) -> None:
    jsonschema.Draft7Validator(SCHEMA).validate(yaml.safe_load(file.read_text("utf-8")))


def test_every_value_is_in_the_schema_and_explained() -> None:
    explained = {value.path for value in values_table.values((CHART / "values.yaml").read_text())}
    paths = list(leaves(DEFAULTS, SCHEMA))
    assert len(paths) > 50
    missing = [
        path for path in paths if not any(f"{path}.".startswith(f"{name}.") for name in explained)
    ]
    assert missing == []


def test_everything_in_the_schema_has_a_default() -> None:
    def check(schema: dict[str, Any], values: Any, path: str) -> None:
        for name, inside in (properties(schema) or {}).items():
            # Free-form values are empty by default; "global" belongs to helm.
            if f"{path}{name}" == "global" or not isinstance(values, dict) or not values:
                continue
            optional = path.endswith(("resources.", "issuerRef."))
            assert name in values or optional, f"{path}{name} has no default in values.yaml"
            if name in values:
                check(inside, values[name], f"{path}{name}.")

    check(SCHEMA, DEFAULTS, "")


def test_the_table_in_the_docs_is_current() -> None:
    page = PAGE.read_text("utf-8")
    rows = values_table.table((CHART / "values.yaml").read_text("utf-8"))
    assert page == values_table.with_table(page, rows), "make chart-docs renews it"


def test_the_chart_has_the_codes_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))
    assert chart["appVersion"] == prism.__version__
