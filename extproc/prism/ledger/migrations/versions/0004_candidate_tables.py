"""What the candidate of a table had to do with a decision."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the columns."""
    for column in (
        sa.Column("candidate_table", sa.Text),
        sa.Column("candidate_generation", sa.String(12)),
        sa.Column("candidate_of", sa.Text),
        sa.Column("candidate_applied", sa.Boolean),
        sa.Column("quality", sa.Double),
        sa.Column("other_model", sa.Text),
        sa.Column("other_estimate_usd", sa.Double),
        sa.Column("other_quality", sa.Double),
    ):
        op.add_column("prism_decisions", column)
