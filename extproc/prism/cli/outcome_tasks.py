"""What an outcome's prompt asks for: as its file says, or as the classifier reads it."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prism.calibrate.outcomes import Outcome
    from prism.classify import Classifier
    from prism.routing.signals import Classification


def classification_reader(
    prompts: Path | None, classify: bool
) -> Callable[[Outcome], Classification | None]:
    """Tells what an outcome's prompt is read as; ``None`` where it has no task and no text.

    ``prompts`` has the texts, by the ids that outcomes call their prompts; without it an
    outcome's prompt is its text. ``classify``: even where the file says a task. What the file
    says is taken as certain. Each text is classified once.
    """
    from prism.routing.signals import Classification

    texts = None if prompts is None else read_prompts(prompts)
    known: dict[str, Classification | None] = {}

    @cache
    def shipped() -> Classifier:
        from prism.classify import Classifier

        return Classifier()

    def read(outcome: Outcome) -> Classification | None:
        if outcome.task is not None and not classify:
            return Classification(outcome.task, 1.0, {outcome.task: 1.0})
        if outcome.prompt not in known:
            text = outcome.prompt if texts is None else texts.get(outcome.prompt)
            known[outcome.prompt] = None if text is None else shipped().classify(text)
        return known[outcome.prompt]

    return read


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
