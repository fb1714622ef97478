"""``prism validate`` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from prism.cli import main

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests/data/resources"
POLICY = (
    "apiVersion: routing.prism.dev/v1alpha1\nkind: ProjectPolicy\n"
    "metadata: {name: a}\nspec: {project: a, anonymous: true%s}\n"
)


def validate(*args: str | Path, stdin: str | bytes = "") -> Result:
    return CliRunner().invoke(main, ["validate", *map(str, args)], input=stdin)


def test_a_good_folder() -> None:
    result = validate(ROOT / "examples/demo")
    assert result.exit_code == 0
    assert result.output.startswith("1 table, ")
    assert result.output.endswith(": no errors\n")


def test_a_folder_with_errors(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text(POLICY % ", pin: Denied")
    (tmp_path / "a.yaml").write_bytes((DATA / "valid/table-smallest.yaml").read_bytes())
    result = validate(tmp_path)
    assert result.exit_code == 1
    place = f"{tmp_path / 'b.yaml'}:4:37"
    assert result.output.splitlines() == [
        f'{place}: error: spec.pin: unknown field "pin"; did you mean "pins"?',
        "1 table, 1 policy: 1 error",
    ]


def test_problems_are_in_the_order_of_the_files_and_lines() -> None:
    result = validate(DATA / "invalid/together-claims.yaml")
    lines = [int(line.split(":")[1]) for line in result.output.splitlines()[:-1] if ":" in line]
    places = [line for line in result.output.splitlines() if "together-claims.yaml:" in line]
    assert result.exit_code == 1
    assert len(places) == 8
    assert lines == sorted(lines)
    assert "1 table, 3 policies: 8 errors" in result.output


def test_warnings_alone_are_no_failure() -> None:
    result = validate(DATA / "invalid/together-open-keys.yaml")
    assert result.exit_code == 0
    assert result.output.endswith("1 table, 1 policy: no errors, 2 warnings\n")


def test_json_output() -> None:
    result = validate("--output", "json", DATA / "invalid/policy-empty-lists.yaml")
    assert result.exit_code == 1
    report = json.loads(result.output)
    assert {name: report[name] for name in ("tables", "policies", "errors", "warnings")} == {
        "tables": 0,
        "policies": 1,
        "errors": 2,
        "warnings": 2,
    }
    problem = next(p for p in report["problems"] if p["path"] == "spec.models.allowed")
    assert problem["severity"] == "error"
    assert problem["resource"] == "ProjectPolicy/empty"
    assert (problem["line"], problem["column"]) == (7, 21)


def test_several_paths_are_checked_together(tmp_path: Path) -> None:
    policy = tmp_path / "p.yaml"
    policy.write_text(POLICY % "")
    alone = validate(policy)
    assert alone.exit_code == 0
    assert "no RoutingTable is among the files" in alone.output
    both = validate(policy, DATA / "valid/table-smallest.yaml")
    assert both.output == "1 table, 1 policy: no errors\n"


def test_a_folder_without_a_table_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(POLICY % "")
    result = validate(tmp_path)
    assert result.exit_code == 1
    assert "there is no RoutingTable" in result.output
    (tmp_path / "p.yaml").unlink()
    assert validate(tmp_path).exit_code == 1


def test_standard_input() -> None:
    result = validate("-", stdin=POLICY % ", table: A")
    assert result.exit_code == 1
    assert result.output.startswith("<stdin>:4:")


@pytest.mark.parametrize("args", [[], ["/no/such/folder"], ["--output", "xml", "."]])
def test_wrong_use(args: list[str]) -> None:
    assert validate(*args).exit_code == 2


def test_a_problem_on_a_terminal_is_coloured() -> None:
    runner = CliRunner()
    path = str(DATA / "invalid/policy-empty-lists.yaml")
    coloured = runner.invoke(main, ["validate", path], color=True).output
    assert "\x1b[31m" in coloured
    assert "\x1b[" not in runner.invoke(main, ["validate", path]).output


def test_no_secret_is_printed() -> None:
    output = validate(DATA / "invalid/table-secrets.yaml").output
    output += validate(DATA / "invalid/table-urls.yaml").output
    for secret in ("sk-proj-aVery", "9fK2mXq81", "hunter2"):
        assert secret not in output
