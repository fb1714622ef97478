"""Sums of what tables and their candidates chose, and which hours are to be summed up again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_COUNTS = (
    *("requests", "failed", "priced", "timed", "graded"),
    *("input_tokens", "output_tokens", "cached_input_tokens", "cache_write_tokens"),
)
_SUMS = ("cost_usd", "other_estimate_usd", "total_ms", "quality", "other_quality")


def upgrade() -> None:
    """Make the tables; what is there already is summed up by the server, hour after hour."""
    for name in ("prism_trial_hours", "prism_trial_days"):
        op.create_table(
            name,
            sa.Column("start_ms", sa.BigInteger, nullable=False),
            sa.Column("candidate_of", sa.Text, nullable=False),
            sa.Column("candidate_table", sa.Text, nullable=False),
            sa.Column("candidate_generation", sa.String(12), nullable=False),
            sa.Column("candidate_applied", sa.Boolean, nullable=False),
            sa.Column("project", sa.Text),
            sa.Column("task", sa.String(20), nullable=False),
            sa.Column("mode", sa.String(20), nullable=False),
            sa.Column("model", sa.Text),
            sa.Column("other_model", sa.Text),
            *[sa.Column(count, sa.BigInteger, nullable=False) for count in _COUNTS],
            *[sa.Column(total, sa.Double, nullable=False) for total in _SUMS],
            sa.Column("newest", sa.String(64), nullable=False),
        )
        op.create_index(f"{name}_start", name, ["start_ms"])
