"""``prism classify --score``: how often the classifier is right, on prompts whose task is known."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from prism.cli.classify_lines import text_of_line
from prism.routing.catalog import TASKS, Task

if TYPE_CHECKING:
    from prism.classify import Classifier
    from prism.classify.quality import Floats, Labels

_ALL = "all"
_WIDEST = 28
_HEADS = ("prompts", "right", "macro-F1", "calibration error", "wrongly simple", "abstained")


@dataclass(slots=True)
class Scored:
    """What the classifier said of labelled prompts. ``sources``: what each line says it is from, or
    nothing; ``labels``: indices into ``TASKS``; ``said``: the probabilities of each. ``good``: no
    line was left out."""

    sources: list[str] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    said: list[list[float]] = field(default_factory=list)
    good: bool = True


def scored(classifier: Classifier, lines: Iterable[bytes]) -> Scored:
    """Ask about every line; those that can't be read are named on standard error."""
    found = Scored()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            text, (task, source) = text_of_line(line), _labelled(line)
        except ValueError as error:
            click.echo(f"line {number}: {error}", err=True)
            found.good = False
            continue
        probabilities = classifier.classify(text).probabilities
        found.sources.append(source)
        found.labels.append(TASKS.index(task))
        found.said.append([probabilities[each] for each in TASKS])
    return found


def _labelled(line: bytes) -> tuple[Task, str]:
    """The task and the source that a line names. Raises ``ValueError`` with what is wrong."""
    said = json.loads(line)
    task, source = said.get("task"), said.get("source", "")
    if task not in TASKS:
        told = "has no 'task'" if task is None else f"task {json.dumps(task)} is not known"
        raise ValueError(f"{told} (tasks are {', '.join(TASKS)})")
    if not isinstance(source, str):
        raise ValueError("'source' is not a string")
    return Task(task), source


def report(found: Scored, limit: float) -> Iterator[str]:
    """Tables: a row for each source and for all, and which task was read as which. ``limit``: the
    threshold below which the classifier abstains from simple."""
    import numpy as np

    from prism.classify.quality import confusion

    if not found.labels:
        yield "No prompt to score."
        return
    labels, said = np.array(found.labels), np.array(found.said, np.float32)
    names = [name for name in dict.fromkeys(found.sources) if name]
    sources = np.array(found.sources)
    parts = [(name, sources == name) for name in names]
    parts.append((_ALL, np.ones(len(labels), bool)))
    width = min(_WIDEST, max(len(name) for name, _ in parts))
    yield " " * width + "".join(f"  {head}" for head in _HEADS)
    for name, here in parts:
        cells = _row(labels[here], said[here], limit)
        shown = zip(_HEADS, cells, strict=True)
        short = name if len(name) <= width else f"{name[: width - 1]}…"
        yield f"{short:{width}}" + "".join(f"  {cell:>{len(head)}}" for head, cell in shown)
    yield ""
    yield f"{'task, read as':14}" + "".join(f" {task:>9}" for task in TASKS)
    for task, row in zip(TASKS, confusion(labels, said.argmax(1)).tolist(), strict=True):
        yield f"{task:14}" + "".join(f" {number:>9,}" for number in row)
    yield ""
    yield (
        f"Wrongly simple: of the others, read as simple with {limit:.2f} confidence or more. "
        "Abstained: read as simple with less."
    )


def _row(labels: Labels, said: Floats, limit: float) -> Sequence[str]:
    from prism.classify.quality import abstained, ece, macro_f1, under_routed

    right = float((said.argmax(1) == labels).mean())
    shares = (
        right, macro_f1(labels, said.argmax(1)), ece(labels, said),
        under_routed(labels, said, limit), abstained(said, limit),
    )  # fmt: skip
    return [f"{len(labels):,}", *(f"{share:.3f}" for share in shares)]
