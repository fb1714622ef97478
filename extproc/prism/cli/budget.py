"""``prism budget``: what projects have spent of their budgets."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from prism.cli.listening import HostPort

_TIMEOUT_S = 5


@click.command("budget")
@click.option(
    "--admin",
    type=HostPort(),
    required=True,
    help="Where a replica's admin endpoints listen (--admin of prism run).",
)
@click.option("--project", help="Only this project.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(admin: tuple[str, int], project: str | None, as_json: bool) -> None:
    """Show what projects have spent of their budgets in the current periods.

    Where replicas share budgets any of them knows what all have spent, to the second.
    """
    budgets = [b for b in _asked(admin) if project is None or b["project"] == project]
    if as_json:
        click.echo(json.dumps(budgets, indent=2))
        return
    if not budgets:
        whose = "no project has" if project is None else f"project {project!r} has"
        click.echo(f"{whose} {'a' if project is None else 'no'} budget")
        return
    for line in lines_of(budgets):
        click.echo(line)


def _asked(admin: tuple[str, int]) -> list[dict[str, Any]]:
    host = f"[{admin[0]}]" if ":" in admin[0] else admin[0]
    url = f"http://{host}:{admin[1]}/budgets"
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:
            budgets: list[dict[str, Any]] = json.load(answer)
    except (OSError, urllib.error.URLError, ValueError) as error:
        raise click.ClickException(f"{url}: {error}") from None
    if not isinstance(budgets, list) or not all(isinstance(b, dict) for b in budgets):
        raise click.ClickException(f"{url}: no admin endpoint of Prism")
    return budgets


def lines_of(budgets: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A table of budgets."""
    head = ["project", "period", "action", "budget", "spent", "under way", "state", "resets"]
    rows = [head, *(_row(budget) for budget in budgets)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = zip(row, widths, strict=True)
        yield "  ".join(f"{cell:<{width}}" for cell, width in cells).rstrip()


def _row(budget: Mapping[str, Any]) -> list[str]:
    state = "open" if budget["room"] else "spent" if budget["known"] else "unknown"
    resets = datetime.fromtimestamp(budget["resetsAt"], UTC)
    return [
        *(budget[name] for name in ("project", "period", "action")),
        *(f"${budget[name]:,.4f}" for name in ("maxUsd", "spentUsd", "reservedUsd")),
        state,
        f"{resets:%Y-%m-%d %H:%M}Z",
    ]
