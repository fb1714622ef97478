"""``prism train``: fits the classifier to a team's own labels."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from prism.cli.classify_lines import text_of_line
from prism.routing.catalog import TASKS, Task

if TYPE_CHECKING:
    from prism.classify.quality import Labels
    from prism.classify.refit import Refit

# Fewer say nothing about a task.
LEAST_A_TASK = 10


@click.command("train")
@click.option(
    "--labels",
    "path",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help='JSON lines: {"text": ..., "task": ...} or {"messages": [...], "task": ...}.',
)
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The model file to write.",
)
@click.option(
    "--model",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The model to start from; the shipped one by default.",
)
def command(path: Path, out: Path, model: Path | None) -> None:
    """Fit the classifier to your own labels.

    The last layer is fitted, and calibrated, by cross-validation; the words that the model
    knows stay as they are. Some hundred labels are enough. What it prints is measured on
    prompts that the fitted layer had not seen.
    """
    import numpy as np

    from prism.classify import SHIPPED, ModelRefused
    from prism.classify.refit import refit

    with path.open("rb") as lines:
        texts, tasks = read_labels(path, lines)
    labels = np.array([TASKS.index(task) for task in tasks])
    try:
        found = refit(model or SHIPPED, texts, labels)
    except ModelRefused as error:
        raise click.ClickException(str(error)) from None
    except ImportError as error:
        raise click.ClickException(f"{error}; install prism-router[server,train]") from None
    out.write_bytes(found.content)
    for line in report(labels, found):
        click.echo(line)
    click.echo(f"Wrote {out}. Use it with --model {out} (prism run, prism serve, prism classify).")


def read_labels(path: Path, lines: Iterable[bytes]) -> tuple[list[str], list[Task]]:
    """Texts and tasks of every line. Raises ``click.ClickException`` that names the line."""
    texts, tasks = [], []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            texts.append(text_of_line(line))
            tasks.append(Task(json.loads(line).get("task")))
        except ValueError as error:
            known = f" (tasks are {', '.join(TASKS)})" if "Task" in str(error) else ""
            raise click.ClickException(f"{path}, line {number}: {error}{known}") from None
    counts = Counter(tasks)
    if few := [f"{task} has {counts[task]}" for task in TASKS if counts[task] < LEAST_A_TASK]:
        raise click.ClickException(
            f"{path}: every task needs {LEAST_A_TASK} prompts or more; {', '.join(few)}"
        )
    return texts, tasks


def report(labels: Labels, found: Refit) -> Iterator[str]:
    """A table: before and after, on prompts not fitted to."""
    from prism.classify.quality import ece, macro_f1, under_routed

    yield f"{'':22} {'before':>8} {'after':>8}"
    both = (found.before, found.after)
    rows = {
        "right": [(said.argmax(1) == labels).mean() for said in both],
        "macro-F1": [macro_f1(labels, said.argmax(1)) for said in both],
        "calibration error": [ece(labels, said) for said in both],
        "read as simple, wrongly": [
            under_routed(labels, said, found.abstain_below) for said in both
        ],
    }
    for name, (before, after) in rows.items():
        yield f"{name:22} {before:>8.3f} {after:>8.3f}"
    yield f"Advised threshold (classifier.abstainBelow): {found.abstain_below:.2f}"
