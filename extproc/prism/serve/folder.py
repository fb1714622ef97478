"""The configuration folder: read, checked, watched; the last good one is kept on disk."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import watchfiles

from prism.resources import Problem, Resource, compile_resources, has_errors, read_folder
from prism.routing.catalog import Catalog
from prism.wire import snapshot

log = logging.getLogger(__name__)


class BrokenConfiguration(Exception):
    """The folder can't be used; ``problems`` says why, each with its place."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


def load(folder: Path) -> tuple[Catalog, list[Resource], list[Problem]]:
    """The catalog of a folder with its warnings; raises ``BrokenConfiguration``."""
    resources, problems = read_folder(folder)
    broken = {problem.resource for problem in problems if problem.is_error and problem.resource}
    catalog, more = compile_resources(resources, broken)
    problems = [*problems, *more]
    if has_errors(problems):
        raise BrokenConfiguration(problems)
    return catalog, resources, problems


class LastGood:
    """The last good configuration as a file, so that a restart over a broken folder goes on."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def save(self, catalog: Catalog, resources: Sequence[Resource]) -> None:
        """Keep a configuration; a full or read-only disk is logged and costs only this."""
        temporary = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(snapshot.encode(catalog.version, resources))
            temporary.replace(self._path)
        except OSError as error:
            log.warning("the last good configuration can't be kept: %s", error)

    def load(self) -> Catalog | None:
        """The kept configuration, if there is a readable one."""
        try:
            resources = snapshot.decode(self._path.read_bytes())
            catalog, problems = compile_resources(resources)
        except FileNotFoundError:
            return None
        except Exception as error:
            # Written by another version, or damaged: no configuration is better than a guess.
            log.warning("the kept configuration can't be used: %s", error)
            return None
        return None if has_errors(problems) else catalog


async def changes(*folders: Path | None, stop: asyncio.Event) -> AsyncIterator[None]:
    """Yields when something in one of the folders changed; ends with ``stop``.

    Folders that do not exist (any more) are looked for again every second.
    """
    while not stop.is_set():
        there = [folder for folder in folders if folder is not None and folder.is_dir()]
        if there:
            with contextlib.suppress(FileNotFoundError):
                async for _ in watchfiles.awatch(
                    *there, stop_event=stop, debounce=50, step=20, recursive=False
                ):
                    yield
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), timeout=1.0)


def state_folder() -> Path:
    """Where state is kept unless told otherwise (XDG base directory specification)."""
    root = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(root) / "prism"
