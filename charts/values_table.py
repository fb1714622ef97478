"""The table of the chart's values, made from the comments of values.yaml.

``python charts/values_table.py`` prints it; ``--write PAGE`` puts it between the marks of a page.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

VALUES = Path(__file__).parent / "prism" / "values.yaml"
BEGIN = "<!-- values: made by make chart-docs -->"
END = "<!-- end of values -->"

_KEY = re.compile(r"( *)([A-Za-z]\w*):")


class Value(NamedTuple):
    """One value: its path with dots, its default, and what its comment says."""

    path: str
    default: Any
    text: str


def values(source: str) -> Iterator[Value]:
    """The values that have a comment starting with "--", in their order."""
    defaults = yaml.safe_load(source)
    path: list[str] = []
    comment: list[str] = []
    for line in source.splitlines():
        stripped = line.strip()
        if stripped.startswith("#"):
            text = stripped.lstrip("# ")
            comment = [text[2:].strip()] if text.startswith("--") else comment and [*comment, text]
            continue
        if found := _KEY.match(line):
            path = [*path[: len(found[1]) // 2], found[2]]
            if comment:
                default = defaults
                for part in path:
                    default = default[part]
                yield Value(".".join(path), default, " ".join(comment))
        comment = []


def table(source: str) -> str:
    """The values as a Markdown table."""
    rows = ["| value | default | meaning |", "|---|---|---|"]
    rows += [f"| `{v.path}` | `{json.dumps(v.default)}` | {v.text} |" for v in values(source)]
    return "\n".join(rows)


def with_table(page: str, rows: str) -> str:
    """A page with the rows between its marks; raises ValueError where it has none."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page lacks the marks {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{rows}\n{END}{after}"


def main(arguments: list[str]) -> None:
    """Print the table, or write it into the page after ``--write``."""
    rows = table(VALUES.read_text("utf-8"))
    if arguments[:1] == ["--write"] and len(arguments) == 2:
        page = Path(arguments[1])
        page.write_text(with_table(page.read_text("utf-8"), rows), "utf-8")
    elif arguments:
        sys.exit(f"usage: {sys.argv[0]} [--write PAGE]")
    else:
        sys.stdout.write(rows + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
