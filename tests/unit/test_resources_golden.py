"""The golden files: each valid one without a problem, each invalid one with exactly those
of its ``.expected`` file. ``PRISM_UPDATE_GOLDEN=1`` writes those files anew, to be reviewed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from prism.resources import compile_resources, has_errors, read_folder, read_text
from prism.resources.problem import Problem
from prism.routing.plan import compile_plan

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests/data/resources"
VALID = sorted(DATA.glob("valid/*.yaml"))
INVALID = sorted(DATA.glob("invalid/*.yaml"))


def problems_of(path: Path) -> list[Problem]:
    """Those of the file by itself; of its resources together where that is what it is about."""
    resources, problems = read_text(path.read_bytes(), path.name)
    if path.name.startswith("together"):
        problems = problems + compile_resources(resources)[1]
    return problems


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_valid(path: Path) -> None:
    resources, _ = read_text(path.read_bytes(), path.name)
    assert problems_of(path) == []
    assert resources


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_invalid(path: Path) -> None:
    found = "".join(f"{problem}\n" for problem in problems_of(path))
    expected = path.with_suffix(".expected")
    if os.environ.get("PRISM_UPDATE_GOLDEN"):
        expected.write_text(found, "utf-8")
    assert found == expected.read_text("utf-8")
    assert found


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_a_resource_with_an_error_is_not_returned(path: Path) -> None:
    resources, problems = read_text(path.read_bytes(), path.name)
    refused = {problem.resource for problem in problems if problem.is_error and problem.resource}
    assert refused.isdisjoint(resource.label for resource in resources)


def test_every_invalid_file_shows_what_to_expect() -> None:
    assert {path.stem for path in INVALID} == {
        path.stem for path in DATA.glob("invalid/*.expected")
    }


def test_the_demo_is_valid_and_compiles() -> None:
    resources, problems = read_folder(ROOT / "examples/demo")
    catalog, more = compile_resources(resources)
    assert not has_errors(problems + more)
    plan = compile_plan(catalog)
    assert set(plan.by_project) >= {"frugal", "europe", "anonymous"}
    assert plan.anonymous["default"].project == "anonymous"


def test_the_example_of_a_candidate_is_valid() -> None:
    resources, problems = read_folder(ROOT / "examples/canary")
    catalog, more = compile_resources(resources)
    assert problems + more == []
    candidate = catalog.tables["default"].candidate
    assert candidate is not None
    assert (candidate.table, candidate.percent) == ("next", 10)
