"""What a server logs: its own lines, and of libraries what somebody should know."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from prism.cli.listening import start_logging

LIBRARY = "alembic"


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    loggers = logging.getLogger(), logging.getLogger(LIBRARY)
    levels = [logger.level for logger in loggers]
    loggers[1].setLevel(logging.NOTSET)  # a server that another test has started may have set it
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


@pytest.mark.parametrize(("level", "told"), [("info", False), ("debug", True)])
def test_how_the_ledgers_tables_are_made_is_for_those_who_debug(level: str, told: bool) -> None:
    logging.getLogger().setLevel(level.upper())  # pytest has handlers of its own
    start_logging(level)
    runs = logging.getLogger("alembic.runtime.migration")
    assert runs.isEnabledFor(logging.INFO) is told
    assert runs.isEnabledFor(logging.WARNING)
