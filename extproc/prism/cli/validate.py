"""``prism validate``: every problem of a set of resources, with its place."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from prism.resources import Problem, Resource

_STDIN = Path("-")


@click.command("validate")
@click.argument(
    "paths",
    metavar="DIR_OR_FILE...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, allow_dash=True, path_type=Path),
)
@click.option(
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How to print the problems.",
)
def command(paths: tuple[Path, ...], output: str) -> None:
    """Check RoutingTables and ProjectPolicies and print every problem with its place.

    Of a folder, the *.yaml and *.yml files right in it are read; "-" is standard input.
    Everything named is checked together, as it would go live. The exit status is 0 where
    nothing is an error, 1 where something is, 2 where the command was used wrongly.
    """
    report = _check(paths)
    if output == "json":
        click.echo(json.dumps(report.to_json(), indent=2, ensure_ascii=False))
    else:
        for problem in report.problems:
            click.echo(_line(problem))
        click.secho(report.summary, fg="red" if report.errors else "green", bold=True)
    sys.exit(1 if report.errors else 0)


@dataclass(frozen=True, slots=True)
class _Report:
    """What was looked at and what was found."""

    tables: int
    policies: int
    problems: Sequence[Problem]

    @property
    def errors(self) -> int:
        return sum(problem.is_error for problem in self.problems)

    @property
    def warnings(self) -> int:
        return len(self.problems) - self.errors

    @property
    def summary(self) -> str:
        """``2 tables, 5 policies: 3 errors, 1 warning``."""
        seen = f"{_count(self.tables, 'table')}, {_count(self.policies, 'policy', 'policies')}"
        errors = _count(self.errors, "error") if self.errors else "no errors"
        found = f"{errors}, {_count(self.warnings, 'warning')}" if self.warnings else errors
        return f"{seen}: {found}"

    def to_json(self) -> dict[str, object]:
        return {
            "tables": self.tables,
            "policies": self.policies,
            "errors": self.errors,
            "warnings": self.warnings,
            "problems": [problem.to_json() for problem in self.problems],
        }


def _check(paths: Sequence[Path]) -> _Report:
    # Imported here so that "prism --help" does not load a schema validator.
    from prism.resources import PROJECT_POLICY, ROUTING_TABLE, compile_resources

    resources, problems = _read(paths)
    broken = {problem.resource for problem in problems if problem.is_error and problem.resource}
    labels = [resource.label for resource in resources]
    labels += broken.difference(labels)
    tables = sum(label.startswith(ROUTING_TABLE) for label in labels)
    policies = sum(label.startswith(PROJECT_POLICY) for label in labels)
    if tables or any(path.is_dir() for path in paths):
        problems += compile_resources(resources, broken)[1]
    elif policies:
        problems.append(_alone())
    # What is about no file comes last, next to the summary.
    problems.sort(key=lambda p: (not p.file, p.file, p.line, p.column))
    return _Report(tables, policies, problems)


def _read(paths: Sequence[Path]) -> tuple[list[Resource], list[Problem]]:
    from prism.resources import read_file, read_folder, read_text

    resources: list[Resource] = []
    problems: list[Problem] = []
    for path in dict.fromkeys(paths):
        if path == _STDIN:
            found, wrong = read_text(sys.stdin.buffer.read(), "<stdin>")
        elif path.is_dir():
            found, wrong = read_folder(path)
        else:
            found, wrong = read_file(path)
        resources += found
        problems += wrong
    return resources, problems


def _alone() -> Problem:
    from prism.resources import Problem, Severity

    message = "no RoutingTable is among the files, so what policies say about it is not checked"
    return Problem(Severity.WARNING, message)


def _line(problem: Problem) -> str:
    """The problem's text; click leaves the colours out where no terminal shows them."""
    text = str(problem)
    severity = problem.severity.value
    colour = "red" if problem.is_error else "yellow"
    head, found, rest = text.partition(f"{severity}: ")
    if not found:
        return text
    return f"{click.style(head, bold=True)}{click.style(severity, fg=colour, bold=True)}: {rest}"


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
