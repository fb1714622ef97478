"""Alembic runs this: on the connection, and in the transaction, of whoever migrates."""

from __future__ import annotations

from alembic import context

from prism.ledger.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table="prism_ledger_version",
    render_as_batch=True,
)
context.run_migrations()
