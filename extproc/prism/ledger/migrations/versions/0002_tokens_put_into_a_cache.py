"""Tokens that the provider put into its cache, which some charge more for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column."""
    op.add_column("prism_decisions", sa.Column("cache_write_tokens", sa.BigInteger))
