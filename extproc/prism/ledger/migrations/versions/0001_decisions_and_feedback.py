"""Decisions and feedback."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make both tables."""
    op.create_table(
        "prism_decisions",
        sa.Column("decision_id", sa.String(64), primary_key=True),
        sa.Column("time_ms", sa.BigInteger, nullable=False),
        sa.Column("project", sa.Text),
        sa.Column("policy", sa.Text),
        sa.Column("routing_table", sa.Text, nullable=False),
        sa.Column("plan_version", sa.Text, nullable=False),
        sa.Column("task", sa.String(20), nullable=False),
        sa.Column("mode", sa.String(20), nullable=False),
        sa.Column("confidence", sa.Double),
        sa.Column("degraded", sa.Boolean, nullable=False),
        sa.Column("raced", sa.Boolean, nullable=False),
        sa.Column("model", sa.Text),
        sa.Column("refusal", sa.String(40)),
        sa.Column("estimate_usd", sa.Double),
        sa.Column("record", sa.JSON, nullable=False),
        sa.Column("status", sa.SmallInteger),
        sa.Column("answered_by", sa.Text),
        sa.Column("provider", sa.Text),
        sa.Column("attempts", sa.SmallInteger),
        sa.Column("input_tokens", sa.BigInteger),
        sa.Column("output_tokens", sa.BigInteger),
        sa.Column("cached_input_tokens", sa.BigInteger),
        sa.Column("first_byte_ms", sa.Double),
        sa.Column("total_ms", sa.Double),
        sa.Column("cost_usd", sa.Double),
    )
    op.create_index("prism_decisions_time", "prism_decisions", ["time_ms"])
    op.create_index("prism_decisions_project_time", "prism_decisions", ["project", "time_ms"])
    op.create_table(
        "prism_feedback",
        sa.Column("decision_id", sa.String(64), primary_key=True),
        sa.Column("feedback_id", sa.String(64), primary_key=True),
        sa.Column("time_ms", sa.BigInteger, nullable=False),
        sa.Column("score", sa.Double, nullable=False),
        sa.Column("comment", sa.Text),
        sa.Column("labels", sa.JSON, nullable=False),
    )
    op.create_index("prism_feedback_time", "prism_feedback", ["time_ms"])
