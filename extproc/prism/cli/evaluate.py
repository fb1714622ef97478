"""``prism evaluate``: what tables cost and how well they answer, by graded answers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from prism.cli.calibrate import FILE, read_table

if TYPE_CHECKING:
    from prism.calibrate.settings import Settings
    from prism.evaluate.evaluation import Evaluation, Interval
    from prism.evaluate.graded import CostOf, Graded
    from prism.routing.catalog import Table


@click.command("evaluate")
@click.argument("tables", metavar="TABLE...", nargs=-1, required=True, type=FILE)
@click.option(
    "--outcomes",
    multiple=True,
    required=True,
    type=FILE,
    help="Graded answers, one a prompt and model: CSV or Parquet; may be given several times.",
)
@click.option("--prompts", type=FILE, help="Texts of the prompts: JSON lines with id and text.")
@click.option("--classify", is_flag=True, help="Ask the classifier even where outcomes say a task.")
@click.option("--settings", type=FILE, help="Columns and lengths of prompts: YAML.")
@click.option("--resamples", default=1000, show_default=True, type=click.IntRange(1, 100_000))
@click.option("--seed", default=0, show_default=True, help="Decides all chance.")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(output: str, **options: Any) -> None:
    """Evaluate routing tables by graded answers.

    Each mode of each TABLE is set against always the same model, chance, and an oracle that
    knows the best answer to every prompt. Intervals are of 95 %, by bootstrap over prompts.
    """
    from prism.calibrate.settings import Broken

    try:
        found, left_out = _evaluated(**options)
    except (Broken, LookupError) as error:
        raise click.ClickException(str(error)) from None
    except ImportError as error:
        raise click.ClickException(f"{error}; install prism-router[money]") from None
    for reason, number in sorted(left_out.items()):
        click.echo(f"note: {number:,} {reason} left out", err=True)
    if output == "json":
        click.echo(json.dumps(asdict(found), indent=2))
        return
    for line in report(found):
        click.echo(line)


def _evaluated(
    tables: tuple[Path, ...],
    outcomes: tuple[Path, ...],
    prompts: Path | None,
    classify: bool,
    settings: Path | None,
    resamples: int,
    seed: int,
) -> tuple[Evaluation, Mapping[str, int]]:
    from prism.calibrate.outcomes import read_outcomes
    from prism.calibrate.settings import Broken, Settings, read_settings
    from prism.cli.outcome_tasks import classification_reader
    from prism.evaluate.evaluation import evaluate
    from prism.evaluate.graded import graded

    told = Settings() if settings is None else read_settings(settings.read_bytes(), str(settings))
    named = _named(tables)
    rows = (row for path in outcomes for row in read_outcomes(path, told.outcomes))
    models = {name for table in named.values() for name in table.models}
    read_as = classification_reader(prompts, classify)
    found, left_out = graded(rows, read_as, _cost_of(named, told), models)
    if not found:
        reasons = "; ".join(f"{number:,} {reason}" for reason, number in sorted(left_out.items()))
        raise Broken(f"no prompt is left: {reasons or 'the outcomes are empty'}")
    for name, table in named.items():
        if unread := _unpredicted(table, found):
            click.echo(f"note: {name}: its predictor does not count for {unread}", err=True)
    return evaluate(found, named, resamples, seed), left_out


def _unpredicted(table: Table, prompts: Sequence[Graded]) -> str:
    """For which prompts, and why; nothing where it counts for all."""
    if table.predictor is None:
        return ""
    hidden = [prompt.read.hidden for prompt in prompts]
    if others := sum(h is not None and h.classifier != table.predictor.classifier for h in hidden):
        return f"{others:,} prompts: it was made with another classifier"
    unread = sum(h is None for h in hidden)
    return f"{unread:,} prompts: they were not classified (--classify)" if unread else ""


def _named(paths: tuple[Path, ...]) -> dict[str, Table]:
    """Tables by the name of their file, or by their path where two files have one name."""
    short = len({path.stem for path in paths}) == len(paths)
    return {path.stem if short else str(path): read_table(path) for path in paths}


def _cost_of(tables: Mapping[str, Table], settings: Settings) -> CostOf:
    from prism.routing.cost import cost_usd

    first = next(iter(tables.values()))
    models = {name: model for table in tables.values() for name, model in table.models.items()}

    def cost_of(model: str, task: Any) -> float:
        tokens = settings.input_tokens.of(task), first.expected_output_tokens[task]
        return cost_usd(models[model].price, *tokens)

    return cost_of


def report(found: Evaluation) -> Iterator[str]:
    """A table: one line a strategy, then areas and regret."""
    tasks = ", ".join(f"{task} {number:,}" for task, number in found.tasks.items() if number)
    yield f"{found.prompts:,} prompts: {tasks}"
    yield f"Best model {found.best}, cheapest {found.cheapest}. In brackets: 95 % intervals."
    yield ""
    width = max(len(result.name) for result in found.results)
    yield (
        f"{'':{width}}  {'quality':^21}  {'of the best':^22}  {'cost of 1,000':>13}"
        f"  {'of the best':^22}"
    )
    for result in found.results:
        yield (
            f"{result.name:{width}}  {_number(result.quality)}  {_share(result.quality_ratio)}"
            f"  {_usd(result.cost.value * 1000):>13}  {_share(result.cost_ratio)}"
        )
    yield ""
    yield "Area under the cost-quality curve, from always-cheapest to always-best:"
    yield from (f"  {name:{width}}  {area:.4f}" for name, area in found.areas.items())
    yield ""
    yield "Regret by task: quality below the oracle's."
    for result in found.results:
        lost = "  ".join(f"{task} {value:.3f}" for task, value in result.regret.items())
        yield f"  {result.name:{width}}  {lost}"


def _number(found: Interval) -> str:
    return f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]".center(21)


def _share(found: Interval) -> str:
    return f"{found.value:.1%} [{found.low:.1%}, {found.high:.1%}]".center(22)


def _usd(amount: float) -> str:
    return f"${amount:,.4f}"
