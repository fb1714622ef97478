"""The tables. A change here needs a migration; a test compares the two.

A decision's id begins with its time, so rows of one time lie together under the primary key.
"""

from __future__ import annotations

from typing import Any

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
    # Where the table has a candidate: which of the two decided, and what the other would have.
    Column("candidate_table", Text),
    Column("candidate_generation", String(12)),
    Column("candidate_of", Text),
    Column("candidate_applied", Boolean),
    Column("quality", Double),
    Column("other_model", Text),
    Column("other_estimate_usd", Double),
    Column("other_quality", Double),
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
    Column("trace_id", String(32)),
    Column("tried", JSON(none_as_null=True)),
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


prompts = Table(
    "prism_prompts",
    metadata,
    Column("decision_id", String(64), primary_key=True),
    Column("how", String(20), nullable=False),
    Column("kept", Text, nullable=False),
)
"""The words of prompts, redacted or encrypted as ``how`` says, where a project keeps them."""


def _counted(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False)


def _summed(name: str) -> Column[float]:
    return Column(name, Double, nullable=False)


_TOKENS = ("input_tokens", "output_tokens", "cached_input_tokens", "cache_write_tokens")


def _of_stretches(name: str, *columns: Column[Any]) -> Table:
    return Table(
        name,
        metadata,
        Column("start_ms", BigInteger, nullable=False),
        *columns,
        Index(f"{name}_start", "start_ms"),
    )


def _every(name: str) -> Table:
    return _of_stretches(
        name,
        Column("project", Text),
        Column("routing_table", Text, nullable=False),
        Column("task", String(20), nullable=False),
        Column("mode", String(20), nullable=False),
        Column("model", Text),
        Column("answered_by", Text),
        *map(_counted, ("requests", "answered", "rejected", "failed", "refused")),
        *map(_counted, ("degraded", "kept_first", "priced", "timed")),
        *map(_counted, _TOKENS),
        *map(_summed, ("cost_usd", "first_byte_ms")),
    )


def _trials(name: str) -> Table:
    return _of_stretches(
        name,
        Column("candidate_of", Text, nullable=False),
        Column("candidate_table", Text, nullable=False),
        Column("candidate_generation", String(12), nullable=False),
        Column("candidate_applied", Boolean, nullable=False),
        Column("project", Text),
        Column("task", String(20), nullable=False),
        Column("mode", String(20), nullable=False),
        Column("model", Text),
        Column("other_model", Text),
        *map(_counted, ("requests", "failed", "priced", "timed", "graded")),
        *map(_counted, _TOKENS),
        *map(_summed, ("cost_usd", "other_estimate_usd", "total_ms", "quality", "other_quality")),
        Column("newest", String(64), nullable=False),
    )


KEYS = ("project", "routing_table", "task", "mode", "model", "answered_by")
"""What decisions have in common that are summed up together."""
TRIAL_KEYS = (
    *("candidate_of", "candidate_table", "candidate_generation", "candidate_applied"),
    *("project", "task", "mode", "model", "other_model"),
)
"""The same where a table has a candidate."""
hours, days = _every("prism_hours"), _every("prism_days")
"""Decisions of one hour or day (UTC) that are alike, summed up: what is asked of millions is read
here.

``kept_first`` counts answers by the first model that was to be tried. Tokens and dollars are
those of ``priced`` answers, times to the first byte those of ``timed`` ones."""
trial_hours, trial_days = _trials("prism_trial_hours"), _trials("prism_trial_days")
"""The same of what tables and their candidates chose. ``other_estimate_usd`` is that of ``priced``
answers, qualities are of the ``graded`` decisions that have both; ``newest`` is the id of one."""

summed_up = Table(
    "prism_summed_up",
    metadata,
    Column("stretch", String(8), primary_key=True),
    Column("start_ms", BigInteger, primary_key=True, autoincrement=False),
)
"""The hours and days that are summed up: their decisions need not be looked at for sums."""

SIZED = (decisions, feedback, prompts)
"""What counts against the ledger's bound on size."""
CANDIDATE = (
    *("candidate_table", "candidate_generation", "candidate_of", "candidate_applied"),
    *("quality", "other_model", "other_estimate_usd", "other_quality"),
)
"""The columns of ``decisions`` that only those of a table with a candidate have."""
OUTCOME = (
    *("status", "answered_by", "provider", "attempts", "input_tokens", "output_tokens"),
    *("cached_input_tokens", "cache_write_tokens", "first_byte_ms", "total_ms", "cost_usd"),
    *("trace_id", "tried"),
)
"""The columns of ``decisions`` that are known only once a request is over."""
