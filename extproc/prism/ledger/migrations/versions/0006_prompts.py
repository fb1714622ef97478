"""Prompts of projects that ask for them to be kept."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "prism_prompts",
        sa.Column("decision_id", sa.String(64), primary_key=True),
        sa.Column("how", sa.String(20), nullable=False),
        sa.Column("kept", sa.Text, nullable=False),
    )
