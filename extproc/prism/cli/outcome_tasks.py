"""The task of an outcome: as its file says, or as the classifier reads the prompt."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prism.calibrate.outcomes import Outcome
    from prism.calibrate.tally import TaskOf
    from prism.classify import Classifier
    from prism.routing.catalog import Task
    from prism.routing.signals import Classification


def task_reader(
    prompts: Path | None, classify: bool, routed_by: Callable[[Classification], Task]
) -> TaskOf:
    """``prompts`` has the texts, by the ids that outcomes call their prompts; without it an
    outcome's prompt is its text. ``classify``: even where the file says a task.

    Each text is classified once; ``routed_by`` gives the task that such a request is routed by.
    """
    texts = None if prompts is None else read_prompts(prompts)
    known: dict[str, Task | None] = {}

    @cache
    def shipped() -> Classifier:
        from prism.classify import Classifier

        return Classifier()

    def classified(text: str) -> Task:
        return routed_by(shipped().classify(text))

    def task_of(outcome: Outcome) -> Task | None:
        if outcome.task is not None and not classify:
            return outcome.task
        if outcome.prompt not in known:
            text = outcome.prompt if texts is None else texts.get(outcome.prompt)
            known[outcome.prompt] = None if text is None else classified(text)
        return known[outcome.prompt]

    return task_of


def read_prompts(path: Path) -> dict[str, str]:
    """Texts by id of JSON lines with ``id`` and ``text``. Raises ``Broken`` for other lines."""
    from prism.calibrate.settings import Broken

    texts = {}
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                said = json.loads(line)
                texts[str(said["id"])] = str(said["text"])
            except (ValueError, KeyError, TypeError, RecursionError):
                raise Broken(f"{path}, line {number}: not an object with id and text") from None
    return texts
