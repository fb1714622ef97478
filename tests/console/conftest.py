"""A console over a month of traffic, and a browser to look at it with."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from prism.console.access import Access
from prism.ledger.address import Address
from prism.ledger.store import Store

from .browser import chromium, found
from .serving import Seen, serving
from .traffic import demo, month


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A ledger with a month of traffic until now; tests only read it."""
    made = Store(Address.file(tmp_path_factory.mktemp("console") / "ledger.db"))
    made.prepare()
    month(made, demo(), time.time())
    yield made
    made.close()


@pytest.fixture
def seen(store: Store) -> Seen:
    """A server with the demo's table and that ledger."""
    return Seen(demo(), store)


@pytest.fixture
def url(seen: Seen) -> Iterator[str]:
    """Its console, as it is at this machine."""
    with serving(seen, Access(None)) as address:
        yield address


# While Playwright runs, so does an event loop in this thread: no test beside it could have one.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if found() is None:
        if os.environ.get("PRISM_REQUIRE_BROWSER"):
            pytest.fail("no browser: apt-get install chromium, or set PRISM_BROWSER")
        pytest.skip("no browser: install Chromium or Chrome, or set PRISM_BROWSER")
    with chromium() as started:
        yield started
