"""Makes the pictures of the docs anew: the console over a month of made-up traffic.

``make console-pictures``; see ``docs/console.md``.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prism.console.access import Access
from prism.ledger.address import Address
from prism.ledger.store import Store
from prism.routing.catalog import Catalog

from .browser import chromium, found
from .serving import Seen, serving
from .traffic import demo, month, trying

IMAGES = Path(__file__).parents[2] / "docs" / "images"
CANARY = 20
"""Percent of conversations that the candidate decides, where there is one."""
PICTURES = (
    (None, "console.png", "light", "/?window=30d", 1240),
    (None, "console-quality.png", "dark", "/quality?window=30d&task=code", 640),
    (CANARY, "console-candidate.png", "light", "/candidate?window=30d", 1260),
)
"""Its candidate's share, file, theme, page, and its height in pixels."""


def main() -> None:
    """Write all of them."""
    if found() is None:
        sys.exit("no browser: install Chromium or Chrome, or set PRISM_BROWSER")
    with chromium() as browser:
        for percent, name, theme, path, height in PICTURES:
            with over_a_month(demo() if percent is None else trying(percent)) as url:
                page = browser.new_page(
                    color_scheme=theme,  # type: ignore[arg-type]
                    viewport={"width": 1120, "height": height},
                )
                page.goto(f"{url}{path}")
                page.screenshot(path=IMAGES / name)


@contextmanager
def over_a_month(catalog: Catalog) -> Iterator[str]:
    """A console over a ledger of its own."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Address.file(Path(folder) / "ledger.db"))
        store.prepare()
        month(store, catalog, time.time())
        with serving(Seen(catalog, store), Access(None)) as url:
            yield url
        store.close()


if __name__ == "__main__":
    main()
