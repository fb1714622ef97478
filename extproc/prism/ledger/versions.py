"""Brings a ledger's tables to the form that this Prism knows."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

VERSION_TABLE = "prism_ledger_version"
_LOCK = 0x707269736D  # "prism", for PostgreSQL's advisory lock
_FOLDER = Path(__file__).parent / "migrations"


def current(connection: Connection) -> str | None:
    """The version of the tables that are there; ``None``: none are."""
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    return context.get_current_revision()


def newest() -> str | None:
    """The version that this Prism writes."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def known(version: str | None) -> bool:
    """Whether this Prism can bring tables of ``version`` to its own."""
    script = ScriptDirectory.from_config(_config())
    return version is None or version in {found.revision for found in script.walk_revisions()}


def upgrade(connection: Connection) -> None:
    """Run what is missing, in the transaction of ``connection``; one process at a time."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
