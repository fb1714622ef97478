"""A real Chromium, without a window: the one of the machine, driven by Playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_QUIET = (
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--no-first-run", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage"),
)


def found() -> str | None:
    """The browser: ``PRISM_BROWSER``, or the first that is there."""
    if named := os.environ.get("PRISM_BROWSER"):
        return named
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Started once; each test takes a context of its own from it."""
    # Chromium has no sandbox for root, and a machine of CI may be nothing else.
    options = [*_QUIET, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found(), args=options, timeout=120_000)
        try:
            yield browser
        finally:
            browser.close()


def pictures() -> Path | None:
    """Where tests leave pictures of pages, for people to look at; nowhere unless asked for."""
    folder = os.environ.get("PRISM_PICTURES")
    return None if folder is None else Path(folder)
