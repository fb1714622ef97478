"""``prism calibrate``: measurements to a RoutingTable."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from prism.cli.output import Output, write

if TYPE_CHECKING:
    from prism.calibrate.answers import Gatherer
    from prism.calibrate.build import Calibrated
    from prism.calibrate.measured import Listed, Measured
    from prism.calibrate.outcomes import Outcome
    from prism.calibrate.settings import Settings
    from prism.routing.catalog import Table, Task

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
OUT = Output()


@dataclass(frozen=True, slots=True)
class _Inputs:
    base: Path
    models: Path | None
    outcomes: tuple[Path, ...]
    from_ledger: str | None
    prompts: Path | None
    classify: bool
    predict: bool | None
    settings: Path | None
    prices: Path | None
    update_prices: bool


@click.command("calibrate")
@click.option("--base", required=True, type=FILE, help="A RoutingTable; numbers may be missing.")
@click.option("--models", type=FILE, help="Aggregated measurements: CSV, one row a model.")
@click.option(
    "--outcomes",
    multiple=True,
    type=FILE,
    help="Graded answers, one a prompt and model: CSV or Parquet; may be given several times.",
)
@click.option(
    "--from-ledger",
    metavar="URL",
    help="Feedback in a ledger (a file, or postgresql://…) moves the qualities of --base.",
)
@click.option(
    "--prompts", type=FILE, help="Texts of the outcomes' prompts: JSON lines, id and text."
)
@click.option("--classify", is_flag=True, help="Ask the classifier even where outcomes say a task.")
@click.option(
    "--predict/--no-predict",
    default=None,
    help="Add a predictor that orders cells by the prompt.  [default: where prompts are "
    "classified and it is better for the same cost, or cheaper for the same quality]",
)
@click.option("--settings", type=FILE, help="Tolerances, columns and more: YAML.")
@click.option("--prices", type=OUT, help="List prices: CSV. They go before all others.")
@click.option("--update-prices", is_flag=True, help="First write --prices anew from genai-prices.")
@click.option("--against", type=FILE, help="An older table: the report says what changes.")
@click.option("--out", type=OUT, help="The table to write; standard output by default.")
@click.option("--report", type=OUT, help="An HTML page to write: frontiers, choices, doubts.")
@click.option("--origins", type=OUT, help="A Markdown page to write: each number's source.")
def command(
    against: Path | None,
    out: Path | None,
    report: Path | None,
    origins: Path | None,
    **inputs: object,
) -> None:
    """Make a RoutingTable of measurements.

    eco takes the cheapest model within 6 % of the best quality at each task, balanced within
    2 %, sport the best; all of it can be set. The same inputs give the same bytes.
    """
    from prism.calibrate.document import origins_markdown, table_yaml
    from prism.calibrate.doubts import doubts
    from prism.calibrate.settings import Broken

    try:
        old = None if against is None else read_table(against)
        found = _calibrated(_Inputs(**inputs))  # type: ignore[arg-type]
    except Broken as error:
        raise click.ClickException(str(error)) from None
    except ImportError as error:
        raise click.ClickException(f"{error}; install prism-router[money]") from None
    if origins is not None:
        write(origins, origins_markdown(found))
    if report is not None:
        from prism.report.calibration import calibration_page

        write(report, calibration_page(found, old))
    _write(out, table_yaml(found))
    for line in doubts(found):
        click.echo(f"note: {line}", err=True)


def _write(out: Path | None, text: str) -> None:
    if out is None:
        click.echo(text, nl=False)
    else:
        write(out, text)


def read_table(path: Path) -> Table:
    """The one valid RoutingTable of a file. Raises ``Broken`` with every problem."""
    from prism.calibrate.settings import Broken
    from prism.resources import ROUTING_TABLE, has_errors, read_file, to_table

    resources, problems = read_file(path)
    if has_errors(problems):
        raise Broken("\n".join(str(problem) for problem in problems if problem.is_error))
    tables = [resource for resource in resources if resource.kind == ROUTING_TABLE]
    if len(tables) != 1:
        raise Broken(f"{path}: has {len(tables)} RoutingTables, but must have one")
    return to_table(tables[0])


def _calibrated(inputs: _Inputs) -> Calibrated:
    from prism.calibrate.answers import Gatherer
    from prism.calibrate.build import abstaining, calibrate, read_base
    from prism.calibrate.predictor import LEAST
    from prism.calibrate.settings import Broken, Settings, read_settings
    from prism.cli.graded import of_ledger

    sources = (inputs.models, inputs.outcomes, inputs.from_ledger)
    if sum(map(bool, sources)) != 1:
        raise click.UsageError("give one of --models, --outcomes and --from-ledger")
    path = inputs.settings
    settings = Settings() if path is None else read_settings(path.read_bytes(), str(path))
    base = read_base(inputs.base.read_bytes(), str(inputs.base))
    if inputs.predict and not inputs.outcomes:
        raise click.UsageError("--predict needs --outcomes: single answers, with their prompts")
    gatherer = None if inputs.predict is False else Gatherer(abstaining(base))
    known = None
    if inputs.from_ledger is not None:
        moved = of_ledger(inputs.from_ledger, read_table(inputs.base), settings)
        measured, known = list(moved.measured), moved.found
        for note in moved.notes:
            click.echo(f"note: {note}", err=True)
    elif inputs.models is not None:
        measured = _of_rows(inputs.models, settings)
    else:
        measured, skipped = _of_outcomes(inputs, settings, base, gatherer)
        for reason, number in sorted(skipped.items()):
            click.echo(f"note: {number:,} outcomes left out: {reason}", err=True)
    if inputs.update_prices and inputs.prices is None:
        raise Broken("--update-prices needs --prices: the file to write")
    names = [item["name"] for item in base["spec"]["models"]]
    given = base, measured, _prices(inputs, base), settings
    answers = None if gatherer is None else gatherer.answers(names)
    if answers is None or (inputs.predict is None and len(answers.tasks) < LEAST):
        return calibrate(*given, known=known)
    found = calibrate(*given, answers)
    if inputs.predict or found.predicted is None or found.predicted.pays:
        return found
    click.echo("note: a predictor was tried; it is no better than the table without it", err=True)
    return calibrate(*given)


def _of_rows(path: Path, settings: Settings) -> list[Measured]:
    from prism.calibrate.model_rows import read_model_rows
    from prism.calibrate.settings import Broken

    if settings.models is None:
        raise Broken("--models needs --settings with 'models': which columns say what")
    with _csv(path) as lines:
        return read_model_rows(lines, settings.models, str(path))


@contextmanager
def _csv(path: Path) -> Iterator[Iterable[str]]:
    """The lines of a CSV file, to be read within. Raises ``Broken`` where it is no such file."""
    from prism.calibrate.settings import Broken

    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            yield lines
    except UnicodeDecodeError:
        raise Broken(f"{path}: not UTF-8") from None
    except csv.Error as error:
        raise Broken(f"{path}: not CSV: {error}") from None


def _of_outcomes(
    inputs: _Inputs, settings: Settings, base: Mapping[str, object], gatherer: Gatherer | None
) -> tuple[list[Measured], Mapping[str, int]]:
    from prism.calibrate.build import abstaining, answer_tokens
    from prism.calibrate.measured import Origin
    from prism.calibrate.outcomes import read_outcomes
    from prism.calibrate.settings import Broken
    from prism.calibrate.tally import count, measured
    from prism.cli.outcome_tasks import classification_reader

    classify = inputs.classify or bool(inputs.predict)
    read, routed_by = classification_reader(inputs.prompts, classify), abstaining(base)

    def task_of(outcome: Outcome) -> Task | None:
        if (found := read(outcome)) is None:
            return None
        if gatherer is not None:
            gatherer.show(outcome, found)
        return routed_by(found)

    rows = (row for path in inputs.outcomes for row in read_outcomes(path, settings.outcomes))
    tally = count(rows, task_of)
    if not tally.scores:
        reasons = "; ".join(f"{number:,}: {why}" for why, number in sorted(tally.skipped.items()))
        raise Broken(f"no outcome is left: {reasons or 'the files have none'}")
    origin = Origin(", ".join(path.name for path in inputs.outcomes))
    return measured(tally, answer_tokens(base), origin), tally.skipped


def _prices(inputs: _Inputs, base: Mapping[str, object]) -> Mapping[str, Listed]:
    from prism.calibrate.genai import listed_prices
    from prism.calibrate.prices import read_prices, write_prices

    if inputs.prices is None:
        return {}
    if inputs.update_prices:
        spec: Mapping[str, Sequence[Mapping[str, object]]] = base["spec"]  # type: ignore[assignment]
        found = listed_prices(spec["models"], spec["providers"], datetime.now(UTC))
        write(inputs.prices, write_prices(found))
    elif not inputs.prices.exists():
        raise click.BadParameter(
            f"File {str(inputs.prices)!r} does not exist.", param_hint="--prices"
        )
    with _csv(inputs.prices) as lines:
        return read_prices(lines, str(inputs.prices))
