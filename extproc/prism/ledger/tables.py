"""The tables. A change here needs a migration; a test compares the two.

A decision's id begins with its time, so rows of one time lie together under the primary key.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
)

metadata = MetaData()

decisions = Table(
    "prism_decisions",
    metadata,
    Column("decision_id", String(64), primary_key=True),
    Column("time_ms", BigInteger, nullable=False),
    Column("project", Text),
    Column("policy", Text),
    Column("routing_table", Text, nullable=False),
    Column("plan_version", Text, nullable=False),
    Column("task", String(20), nullable=False),
    Column("mode", String(20), nullable=False),
    Column("confidence", Double),
    Column("degraded", Boolean, nullable=False),
    Column("raced", Boolean, nullable=False),
    Column("model", Text),
    Column("refusal", String(40)),
    Column("estimate_usd", Double),
    # Inputs and reasons: what a replay and an explanation need. JSON and not JSONB, which
    # refuses the NUL that a client may have in a model's name.
    Column("record", JSON, nullable=False),
    # What came of it; null until it is known.
    Column("status", SmallInteger),
    Column("answered_by", Text),
    Column("provider", Text),
    Column("attempts", SmallInteger),
    Column("input_tokens", BigInteger),
    Column("output_tokens", BigInteger),
    Column("cached_input_tokens", BigInteger),
    Column("cache_write_tokens", BigInteger),
    Column("first_byte_ms", Double),
    Column("total_ms", Double),
    Column("cost_usd", Double),
    Index("prism_decisions_time", "time_ms"),
    Index("prism_decisions_project_time", "project", "time_ms"),
)
"""One row a decision. ``model`` is the first that was to be tried, ``answered_by`` the one that
answered."""

feedback = Table(
    "prism_feedback",
    metadata,
    Column("decision_id", String(64), primary_key=True),
    Column("feedback_id", String(64), primary_key=True),
    Column("time_ms", BigInteger, nullable=False),
    Column("score", Double, nullable=False),
    Column("comment", Text),
    Column("labels", JSON, nullable=False),
    Index("prism_feedback_time", "time_ms"),
)
"""What was said of a decision: one row for each id that its giver chose."""

SIZED = (decisions, feedback)
"""What counts against the ledger's bound on size."""
OUTCOME = (
    *("status", "answered_by", "provider", "attempts", "input_tokens", "output_tokens"),
    *("cached_input_tokens", "cache_write_tokens", "first_byte_ms", "total_ms", "cost_usd"),
)
"""The columns of ``decisions`` that are known only once a request is over."""
