"""Makes the pictures of the docs anew: the console over a month of made-up traffic.

``make console-pictures``; see ``docs/console.md``.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from prism.console.access import Access
from prism.ledger.address import Address
from prism.ledger.store import Store

from .browser import chromium, found
from .serving import Seen, serving
from .traffic import demo, month

IMAGES = Path(__file__).parents[2] / "docs" / "images"
PICTURES = (
    ("console.png", "light", "/?window=30d", 1240),
    ("console-quality.png", "dark", "/quality?window=30d&task=code", 640),
)
"""File, theme, page, and its height in pixels."""


def main() -> None:
    """Write all of them."""
    if found() is None:
        sys.exit("no browser: install Chromium or Chrome, or set PRISM_BROWSER")
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Address.file(Path(folder) / "ledger.db"))
        store.prepare()
        month(store, demo(), time.time())
        with serving(Seen(demo(), store), Access(None)) as url, chromium() as browser:
            for name, theme, path, height in PICTURES:
                page = browser.new_page(
                    color_scheme=theme,  # type: ignore[arg-type]
                    viewport={"width": 1120, "height": height},
                )
                page.goto(f"{url}{path}")
                page.screenshot(path=IMAGES / name)
        store.close()


if __name__ == "__main__":
    main()
