"""The configuration folder: read, checked, watched."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from prism.resources import compile_resources, has_errors, read_folder
from prism.serve.snapshot_file import SnapshotFile
from prism.serve.source import BrokenConfiguration, Offer, Origin
from prism.serve.watch import changes


def load(folder: Path) -> Offer:
    """The configuration in a folder, with its warnings; raises ``BrokenConfiguration``."""
    resources, problems = read_folder(folder)
    broken = {problem.resource for problem in problems if problem.is_error and problem.resource}
    catalog, more = compile_resources(resources, broken)
    problems = [*problems, *more]
    if has_errors(problems):
        raise BrokenConfiguration(problems)
    return Offer(Origin.FOLDER, catalog, resources, problems)


class FolderSource:
    """A folder of resources. ``live`` is the version that is live, if one is."""

    def __init__(
        self, folder: Path, last_good: SnapshotFile, live: Callable[[], str | None]
    ) -> None:
        self._folder = folder
        self._last_good = last_good
        self._live = live

    async def offers(self) -> AsyncIterator[Offer | BrokenConfiguration]:
        """What is in the folder, at first and after each change; the last good one where a
        server starts over a broken folder."""
        watching = changes(self._folder)
        # Watched from before the first look, so that no change falls between the two.
        changed = asyncio.ensure_future(anext(watching))
        await asyncio.sleep(0)
        try:
            yield await self._read()
            if self._live() is None and (kept := await asyncio.to_thread(self._last_good.load)):
                yield kept
            while True:
                await changed
                yield await self._read()
                changed = asyncio.ensure_future(anext(watching))
        finally:
            changed.cancel()

    async def answer(self, offered: Offer | BrokenConfiguration, refusal: str) -> None:
        """Nobody waits for the answer."""

    def status(self) -> dict[str, Any]:
        """Nothing beyond what every source has."""
        return {}

    async def _read(self) -> Offer | BrokenConfiguration:
        try:
            # Off the event loop: thousands of resources take seconds to check.
            return await asyncio.to_thread(load, self._folder)
        except BrokenConfiguration as broken:
            return broken


def state_folder() -> Path:
    """Where state is kept unless told otherwise (XDG base directory specification)."""
    root = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(root) / "prism"
