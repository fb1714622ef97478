"""``prism savings``: what a workload cost, and what it would have cost per mode."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from prism.cli.finite import Finite
from prism.cli.output import Output, write
from prism.routing.catalog import TASKS, Task

if TYPE_CHECKING:
    from prism.cli.savings_pool import Setup
    from prism.savings.tally import Tally

_SHOWN = 5
"""Bad lines that are named on the terminal; --bad has all."""
_CPU_USD = 0.05
"""US dollars for an hour of one core, as the large clouds list them in 2026 (0.04 to 0.05)."""


class Mix(click.ParamType[Mapping[Task, float]]):
    """Shares of the tasks: ``simple=50,code=25,reasoning=15,complex=10``."""

    name = "mix"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Mapping[Task, float]:
        shares: dict[Task, float] = {}
        for item in str(value).split(","):
            task, _, number = item.strip().partition("=")
            if task not in set(TASKS) or not number.replace(".", "", 1).isdecimal():
                known = ", ".join(TASKS)
                self.fail(f"{item!r} is not TASK=SHARE with one of {known}", param, ctx)
            shares[Task(task)] = float(number)
        every = sum(shares.values())
        if not every:
            self.fail("the shares are all 0", param, ctx)
        return {task: share / every for task, share in shares.items()}


class Column(click.ParamType[tuple[str, str]]):
    """``WHAT=NAME``: which column of a CSV holds what."""

    name = "what=name"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        from prism.savings.rows import NAMES

        if isinstance(value, tuple):
            return value[0], value[1]
        what, sign, name = str(value).partition("=")
        if what not in NAMES or not sign or not name:
            self.fail(f"{value!r} is not WHAT=NAME with one of {', '.join(NAMES)}", param, ctx)
        return what, name


@click.command("savings")
@click.argument(
    "logs", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, allow_dash=True)
)
@click.option(
    "--config",
    type=click.Path(exists=True, path_type=Path),
    help="Folder or file of resources to decide by; the shipped table of 23 models by default.",
)
@click.option("--project", help="Decide as for this project of --config, under its policy.")
@click.option(
    "--mix",
    type=Mix(),
    default=None,
    help="Shares of the tasks of requests without a prompt, such as simple=50,code=25,complex=25. "
    "By default they take the safe task's cells.",
)
@click.option(
    "--column", type=Column(), multiple=True, help="CSV: the column of a value, if not a usual one."
)
@click.option(
    "--cpu-price",
    type=Finite(0),
    default=_CPU_USD,
    show_default=True,
    metavar="USD",
    help="An hour of one core: prices the classifier's own time.",
)
@click.option(
    "--jobs", type=click.IntRange(1, 64), help="Processes.  [default: one a core, at most 8]"
)
@click.option(
    "--report", type=Output(), help="An HTML page to write, with charts; it needs nothing else."
)
@click.option("--bad", type=Output(), help="A file to write every bad line's place to.")
def command(
    logs: Sequence[str],
    config: Path | None,
    project: str | None,
    mix: Mapping[Task, float] | None,
    column: Sequence[tuple[str, str]],
    cpu_price: float,
    jobs: int | None,
    report: Path | None,
    bad: Path | None,
) -> None:
    """What a workload cost, and what it would have cost in each mode.

    LOGS are JSON lines (requests with their answers, streamed ones too, spend logs of LiteLLM,
    usage exports of OpenAI) or CSV with a header, plain or gzip; "-" is standard input. Each
    prompt is classified and decided as the gateway would. Nothing leaves this machine.

    Bad lines are counted and named; the exit code is 1 only where no line could be priced.
    """
    from prism.calibrate.settings import Broken
    from prism.cli.savings_pool import Setup, caller_of
    from prism.cli.savings_text import lines_of, notes_of
    from prism.savings.figures import savings_of
    from prism.savings.reading import Unreadable

    setup = Setup(config, project, dict(mix or {}), datetime.now(UTC))
    try:
        # What is wrong with the configuration is said before anything is read.
        _, caller = caller_of(setup)
        with nullcontext() if bad is None else _opened(bad) as kept:
            tally, first = _counted(logs, dict(column), setup, jobs, kept)
    except (Broken, Unreadable) as error:
        raise click.ClickException(str(error)) from None
    for line in notes_of(tally, first):
        click.echo(line, err=True)
    if not tally.asked:
        raise click.ClickException("no line could be priced")
    savings = savings_of(tally, cpu_price)
    # Before anything is printed: who reads only the first lines ends this process.
    if report is not None:
        from prism.report.savings import savings_page

        write(report, savings_page(savings, caller.table.name, setup.day, cpu_price, mix))
    for line in lines_of(savings):
        click.echo(line)


def _opened(path: Path) -> IO[str]:
    try:
        return path.open("w", encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror or error}") from None


def _progress(size: int) -> AbstractContextManager[Any]:
    """A bar over ``size`` bytes; of a pipe, whose size nobody knows, only lines are counted."""
    known = size > 0
    return click.progressbar(
        length=size or 1,
        label="Reading",
        file=sys.stderr,
        show_eta=known,
        show_percent=known,
        update_min_steps=0,
        item_show_func=lambda lines: f"{lines or 0:,} lines",
    )


def _counted(
    logs: Sequence[str],
    columns: Mapping[str, str],
    setup: Setup,
    jobs: int | None,
    bad: IO[str] | None,
) -> tuple[Tally, list[str]]:
    """Read every file, with progress on a terminal; and the first bad lines."""
    from prism.cli.savings_pool import cores, counted
    from prism.savings.reading import blocks
    from prism.savings.tally import Tally

    paths = [Path("/dev/stdin" if log == "-" else log) for log in logs]
    every = (block for path in paths for block in blocks(path, columns))
    seen = {str(path): 0 for path in paths}
    tally = Tally()
    first: list[str] = []
    with _progress(sum(path.stat().st_size for path in paths)) as bar:
        for read, found in counted(every, setup, jobs or cores()):
            tally.add(found.tally)
            bar.update(max(0, read.bytes - seen[read.file]), tally.lines)
            seen[read.file] = max(read.bytes, seen[read.file])
            for number, reason in found.bad:
                text = f"{read.file}:{number}: {reason}"
                if len(first) < _SHOWN:
                    first.append(text)
                if bad is not None:
                    bad.write(text + "\n")
    return tally, first
