"""The trace that a request belongs to, and what became of each of its attempts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the columns."""
    op.add_column("prism_decisions", sa.Column("trace_id", sa.String(32)))
    op.add_column("prism_decisions", sa.Column("tried", sa.JSON(none_as_null=True)))
