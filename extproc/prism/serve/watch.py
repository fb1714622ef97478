"""Notices changes of files: the configuration folder, mounted Secrets."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import watchfiles


async def changes(folder: Path) -> AsyncIterator[None]:
    """Yields when something in a folder changed, until cancelled.

    A folder that does not exist (any more) is looked for again every second, and its coming is
    a change. What changes while the caller works on the last change is not missed.
    """
    missing = False
    while True:
        if missing and await asyncio.to_thread(folder.is_dir):
            missing = False
            yield
        with contextlib.suppress(FileNotFoundError):
            async for _ in watchfiles.awatch(folder, debounce=50, step=20, recursive=False):
                yield
        missing = True
        await asyncio.sleep(1)
