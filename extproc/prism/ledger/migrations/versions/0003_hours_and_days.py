"""Sums of each hour's and each day's decisions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_COUNTS = (
    *("requests", "answered", "rejected", "failed", "refused"),
    *("degraded", "kept_first", "priced", "timed"),
    *("input_tokens", "output_tokens", "cached_input_tokens", "cache_write_tokens"),
)


def upgrade() -> None:
    """Make the tables; what is there already is summed up by the server, hour after hour."""
    for name in ("prism_hours", "prism_days"):
        op.create_table(
            name,
            sa.Column("start_ms", sa.BigInteger, nullable=False),
            sa.Column("project", sa.Text),
            sa.Column("routing_table", sa.Text, nullable=False),
            sa.Column("task", sa.String(20), nullable=False),
            sa.Column("mode", sa.String(20), nullable=False),
            sa.Column("model", sa.Text),
            sa.Column("answered_by", sa.Text),
            *[sa.Column(count, sa.BigInteger, nullable=False) for count in _COUNTS],
            sa.Column("cost_usd", sa.Double, nullable=False),
            sa.Column("first_byte_ms", sa.Double, nullable=False),
        )
        op.create_index(f"{name}_start", name, ["start_ms"])
    op.create_table(
        "prism_summed_up",
        sa.Column("stretch", sa.String(8), primary_key=True),
        sa.Column("start_ms", sa.BigInteger, primary_key=True, autoincrement=False),
    )
