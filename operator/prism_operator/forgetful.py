"""kopf keeps its progress and the last state that it handled on the objects themselves. Its
event handlers need neither: these keep nothing, so that nothing is written on any object, and
no copy of each is made to compare with."""

from __future__ import annotations

from typing import Any

import kopf


class NoLastState(kopf.DiffBaseStorage):
    """Remembers no state."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        return kopf.BodyEssence()

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        """Forget it."""


class NoProgress(kopf.ProgressStorage):
    """Remembers no progress."""

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        """Forget it."""

    def purge(self, **_: Any) -> None:
        """There is none."""

    def touch(self, **_: Any) -> None:
        """There is nothing to touch."""

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        return essence
