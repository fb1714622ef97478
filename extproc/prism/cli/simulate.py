"""``prism simulate``: what a change of the configuration would have done with real requests."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from prism.cli.finite import Finite
from prism.cli.ledger_options import NONE, ledger_address, ledger_option
from prism.cli.output import Output, write

if TYPE_CHECKING:
    from prism.ledger.entry import Entry
    from prism.resources import Problem, Resource
    from prism.routing.catalog import Catalog
    from prism.routing.plan import Plan
    from prism.routing.record import Record
    from prism.simulate.arms import Arms
    from prism.simulate.difference import Difference

BROKEN_LIMIT = 3
"""The exit code where a limit is broken; 1 is an error, 2 a wrong option."""
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("simulate")
@click.argument("files", metavar="[FILE]...", nargs=-1, type=_FILE)
@click.option(
    "--config",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of resources. Each resource of a FILE takes the place of the one of its name.",
)
@ledger_option
@click.option("--state", type=click.Path(file_okay=False, path_type=Path), help="Its folder.")
@click.option(
    "--records",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    help='Read records from JSON lines instead of a ledger ("-": standard input).',
)
@click.option(
    "--hours", type=Finite(0), default=24.0, show_default=True, help="How far back in the ledger."
)
@click.option("--project", help="Only decisions of this project.")
@click.option(
    "--candidate",
    is_flag=True,
    help="Compare what a table and its candidate chose, as it was recorded; takes no FILE.",
)
@click.option(
    "--examples",
    type=click.IntRange(0),
    default=3,
    show_default=True,
    help="Decisions named for each move.",
)
@click.option(
    "--max-cost",
    metavar="PERCENT",
    type=Finite(-100),
    help="Cost may grow by this at most; below 0: it must fall.",
)
@click.option(
    "--max-loss", metavar="PERCENT", type=Finite(0), help="Quality may fall by this at most."
)
@click.option("--max-moved", metavar="PERCENT", type=Finite(0), help="So many may move at most.")
@click.option(
    "--max-refused",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="So many may be refused anew.",
)
@click.option(
    "--report", type=Output(), help="An HTML page to write, with charts; it needs nothing else."
)
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(
    files: tuple[Path, ...],
    config: Path,
    ledger: str | None,
    state: Path | None,
    records: Path | None,
    hours: float,
    project: str | None,
    candidate: bool,
    examples: int,
    max_cost: float | None,
    max_loss: float | None,
    max_moved: float | None,
    max_refused: int,
    report: Path | None,
    output: str,
) -> None:
    """Show what a change would do, before it is applied.

    The decisions of the ledger are made again under the resources in --config with those in
    FILEs: which requests go to another model, what that costs and how good it is. Exits with 3
    where a limit (--max-...) is broken, so that a pipeline can stop a change. With --candidate
    nothing is made again: the decisions of tables that have a candidate say what both chose.
    """
    from prism.cli.candidate_text import candidate_lines
    from prism.cli.simulation_text import lines
    from prism.simulate.arms import Arms
    from prism.simulate.difference import Limits, as_json, broken

    if candidate and files:
        raise click.UsageError("--candidate compares what is live: it takes no FILE")
    limits = Limits(_share(max_cost), _share(max_loss), max_refused, _share(max_moved))
    old, new = _plans(config, files)
    arms = Arms() if candidate else None
    with _entries(ledger, state, records, hours, project) as found:
        difference = _compared(found, new, old, examples, arms)
    if not difference.total.decisions:
        # A limit that nothing was held against must not let a change pass.
        reasons = "".join(f"; {n:,}: {why}" for why, n in sorted(difference.untold.items()))
        raise click.ClickException(f"there is no decision to make again{reasons}")
    said = list(broken(difference, limits))
    # Before anything is printed: who reads only the first lines ends this process.
    if report is not None:
        from prism.report.simulation import simulation_page

        change = ["the candidate"] if candidate else [str(f) for f in files]
        write(report, simulation_page(difference, said, change))
    if output == "json":
        measured = {} if arms is None else {"measured": arms.as_json()}
        click.echo(json.dumps({**as_json(difference, said), **measured}, indent=2))
    else:
        for line in lines(difference) if arms is None else candidate_lines(difference, arms):
            click.echo(line)
    for sentence in said:
        click.echo(f"limit: {sentence}", err=True)
    if said:
        sys.exit(BROKEN_LIMIT)


def _share(percent: float | None) -> float | None:
    return None if percent is None else percent / 100


def _plans(config: Path, files: Iterable[Path]) -> tuple[Plan | None, Plan]:
    """The folder's plan, where it is one by itself, and that of the change."""
    from prism.resources import compile_resources, has_errors, read_file, read_folder
    from prism.routing.plan import compile_plan

    live, problems = read_folder(config)
    catalog, more = compile_resources(live)
    # What is live may be broken, and the change its repair.
    old = None if has_errors([*problems, *more]) else compile_plan(catalog)
    resources = {(one.kind, one.name): one for one in live}
    problems = [p for p in problems if p.is_error]
    for file in files:
        found, wrong = read_file(file)
        problems += wrong
        resources |= {(one.kind, one.name): one for one in found}
        replaced = {f"{one.kind}/{one.name}" for one in found}
        problems = [p for p in problems if p.resource not in replaced or p in wrong]
    return old, compile_plan(_checked(list(resources.values()), problems))


def _checked(resources: list[Resource], problems: list[Problem]) -> Catalog:
    from prism.resources import compile_resources

    catalog, more = compile_resources(resources, {p.resource for p in problems if p.resource})
    if wrong := [str(p) for p in [*problems, *more] if p.is_error]:
        raise click.ClickException("the change would not go live:\n" + "\n".join(wrong))
    return catalog


def _compared(
    found: Iterable[Entry], new: Plan, old: Plan | None, examples: int, arms: Arms | None
) -> Difference:
    """All of them together. With ``arms`` what tables and candidates chose, else what ``new``
    changes."""
    from prism.simulate.again import Untold, again
    from prism.simulate.difference import Difference
    from prism.simulate.tried import tried

    difference = Difference()
    for entry in found:
        record, cost_usd = entry.record, entry.cost_usd
        try:
            if arms is None:
                difference.add(again(record, new, old), examples)
            else:
                difference.add(tried(record, new, cost_usd), examples)
                arms.add(record, cost_usd)
        except Untold as untold:
            difference.untold[str(untold)] += 1
    return difference


@contextmanager
def _entries(
    ledger: str | None, state: Path | None, file: Path | None, hours: float, project: str | None
) -> Iterator[Iterator[Entry]]:
    """What was decided, one at a time, while the ledger or the file is open."""
    from prism.ledger.entry import Entry

    if file is not None:
        with click.open_file(str(file), "rb") as opened:
            found = _of_lines(opened, file)
            yield (Entry(r) for r in found if project in (None, r.decision.project))
        return
    from prism.ledger.finding import entries
    from prism.ledger.store import Away, Store, WrongVersion

    address = ledger_address(ledger, state)
    if address is None:
        raise click.UsageError(f"--ledger is {NONE}: give --records, or a ledger")
    store = Store(address)
    try:
        store.check()
        with store.reading() as connection:
            since = time.time() - hours * 3600
            yield entries(connection, since, project)
    except (Away, WrongVersion) as error:
        raise click.ClickException(str(error)) from None
    finally:
        store.close()


def _of_lines(lines: Iterable[bytes], file: Path) -> Iterator[Record]:
    """Lines that are no records are told of and left out."""
    from prism.routing.record import Record

    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield Record.from_json_dict(json.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            click.echo(f"note: {file}, line {number}: no record ({error})", err=True)
