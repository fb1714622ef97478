"""Step 1 of the decision order: whose request is this?"""

from __future__ import annotations

from dataclasses import dataclass

from prism.routing.catalog import Policy, Table
from prism.routing.plan import Plan

UNREAD_HEADERS = frozenset(
    {
        "accept",
        "accept-encoding",
        "accept-language",
        "connection",
        "user-agent",
        "x-request-id",
    }
)
"""Headers that every client sends and that never reach a decision; see ``envoy.filters``."""
UNREAD_PREFIX = "x-stainless-"
"""The same for what OpenAI's clients say of themselves."""

_SHOWN = 100
"""Characters of a value from a client that an error message repeats."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the policy that holds (``None``: none does) and the table that is used."""

    policy: Policy | None
    table: Table

    @property
    def project(self) -> str | None:
        """The policy's, where one holds."""
        return None if self.policy is None else self.policy.project


@dataclass(frozen=True, slots=True)
class Denied:
    """The request may not go on. ``status`` is HTTP's, ``code`` the OpenAI-style error's."""

    status: int
    code: str
    message: str


def identify(plan: Plan, key_hash: str | None, project_header: str | None) -> Caller | Denied:
    """The caller behind a request.

    ``key_hash`` is the lower-case SHA-256 hex digest of the API key, ``None`` without one.
    ``project_header`` is the value of the default table's ``project_header``; it counts
    only where the table names such a header, which says that the gateway in front sets
    it. A known key comes first, then that header, then the anonymous policy.

    Looking a digest up in a dictionary needs no constant-time comparison: timing could
    tell something about the digest of a key, and nobody can steer a SHA-256 digest
    towards another one by choosing keys. No message repeats the key or its digest.
    """
    table = plan.default_table
    if key_hash is not None and (policy := plan.by_key.get(key_hash)) is not None:
        return Caller(policy, plan.tables[policy.table])
    if project_header and table.project_header is not None:
        return _by_project(plan, project_header)
    # OpenAI clients cannot be made without a key, so where nobody uses keys any is "none".
    if key_hash is not None and (plan.by_key or table.require_api_key):
        return Denied(401, "invalid_api_key", "This API key is not known to the gateway.")
    if table.require_api_key:
        message = "This gateway needs an API key: send it as 'Authorization: Bearer KEY'."
        return Denied(401, "invalid_api_key", message)
    return Caller(plan.anonymous.get(table.name), table)


def _by_project(plan: Plan, project: str) -> Caller | Denied:
    policy = plan.by_project.get(project)
    if policy is None:
        message = (
            f"No policy names the project {project[:_SHOWN]!r}, "
            f"given in the header {plan.default_table.project_header}."
        )
        return Denied(403, "project_not_found", message)
    return Caller(policy, plan.tables[policy.table])
