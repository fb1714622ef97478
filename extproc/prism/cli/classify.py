"""``prism classify``: the classifier on JSON lines, and how long it takes."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from prism.cli.classify_lines import text_of_line
from prism.routing.catalog import ABSTAINS_ON

if TYPE_CHECKING:
    from prism.classify import Classifier

_LENGTHS = (10, 100, 1_000, 10_000, 100_000, 1_000_000)
_ROUNDS = 300
_SENTENCE = "Compare three ways to store 250 GB of logs, then write a short plan (in Python). "


@click.command("classify")
@click.option(
    "--model",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A model file instead of the shipped one.",
)
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    help="Abstain from simple below this confidence; the model's own by default.",
)
@click.option(
    "--score",
    is_flag=True,
    help='Print how often it is right instead: each line has a "task", and maybe a "source", too.',
)
@click.option("--benchmark", is_flag=True, help="Print the time per text by length and stop.")
def command(model: Path | None, threshold: float | None, score: bool, benchmark: bool) -> None:
    """Classify JSON lines from standard input.

    Each line is {"text": ...}, or {"messages": [...]} as in a chat request. The answer to
    each goes to standard output, in order, as one JSON line. Lines that cannot be read are
    named on standard error, and the exit code is then 1; the others are answered all the same.
    """
    from prism.classify import Classifier, ModelRefused

    try:
        classifier = Classifier(model)
    except ModelRefused as error:
        raise click.ClickException(str(error)) from None
    if benchmark:
        for line in measured(classifier):
            click.echo(line)
        return
    limit = classifier.abstain_below if threshold is None else threshold
    if score:
        from prism.cli.classify_score import report, scored

        found = scored(classifier, sys.stdin.buffer)
        for line in report(found, limit):
            click.echo(line)
        sys.exit(0 if found.good else 1)
    if not _answer_all(classifier, limit, sys.stdin.buffer):
        sys.exit(1)


def _answer_all(classifier: Classifier, limit: float, lines: Iterable[bytes]) -> bool:
    good = True
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            text = text_of_line(line)
        except ValueError as error:
            click.echo(f"line {number}: {error}", err=True)
            good = False
            continue
        click.echo(json.dumps(answer(classifier, limit, text)))
    return good


def answer(classifier: Classifier, limit: float, text: str) -> dict[str, Any]:
    """What is printed for one text; ``abstained`` as a table with ``abstainBelow: limit`` would."""
    found = classifier.classify(text)
    return {
        "task": found.task,
        "confidence": round(found.confidence, 4),
        "probabilities": {task: round(p, 4) for task, p in found.probabilities.items()},
        "abstained": found.unsure(limit, ABSTAINS_ON),
    }


def measured(classifier: Classifier) -> Iterator[str]:
    """A table of times per text in milliseconds, features included, by length in characters: from
    the words alone, and with the second look at texts that these leave in doubt."""
    import time

    yield f"{'':10} {'words alone':>23}   {'with a second look':>26}"
    yield f"{'characters':>10}" + 2 * f" {'p50 ms':>8} {'mean ms':>8} {'p99 ms':>8}"
    for length in _LENGTHS:
        text = (_SENTENCE * (length // len(_SENTENCE) + 1))[:length]
        looks: tuple[list[float], list[float]] = ([], [])
        for _ in range(_ROUNDS):
            began = time.perf_counter()
            classifier.first((text,))
            looks[0].append((time.perf_counter() - began) * 1_000)
        for _ in range(_ROUNDS):
            began = time.perf_counter()
            classifier.first((text,))
            classifier.second(text)
            looks[1].append((time.perf_counter() - began) * 1_000)
        yield f"{length:>10,}" + "".join(map(_row, looks))


def _row(times: list[float]) -> str:
    times.sort()
    half, late = times[_ROUNDS // 2], times[_ROUNDS * 99 // 100]
    return f" {half:>8.3f} {sum(times) / _ROUNDS:>8.3f} {late:>8.3f}"
