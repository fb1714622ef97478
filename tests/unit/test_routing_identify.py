"""Step 1: key, trusted header, anonymous policy, or no entry."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from prism.routing.identify import Caller, Denied, identify
from prism.routing.plan import compile_plan

from .tables import catalog, policy, table

KEY, OTHER = "a" * 64, "b" * 64
KEYED = policy("keyed", key_hashes=frozenset({KEY}), table="second")
OPEN = policy("open", anonymous=True)
HEADER = "x-project"


@dataclass(frozen=True)
class Row:
    id: str
    expected: str | tuple[int, str] | None
    key: str | None = None
    project: str | None = None
    policies: tuple[str, ...] = ("keyed", "open")
    header: str | None = None
    required: bool = False


ROWS = [
    Row("known-key", "keyed", KEY),
    Row("known-key-where-keys-are-required", "keyed", KEY, required=True),
    Row("known-key-beats-trusted-header", "keyed", KEY, "open", header=HEADER),
    Row("unknown-key-where-keys-are-used", (401, "invalid_api_key"), OTHER),
    Row(
        "unknown-key-where-keys-are-required",
        (401, "invalid_api_key"),
        OTHER,
        None,
        ("open",),
        required=True,
    ),
    Row("any-key-where-nobody-uses-keys", "open", OTHER, None, ("open",)),
    Row("any-key-without-any-policy", None, OTHER, None, ()),
    Row("no-key", "open"),
    Row("no-key-without-anonymous-policy", None, policies=("keyed",)),
    Row("no-key-where-keys-are-required", (401, "invalid_api_key"), required=True),
    Row("untrusted-header-does-not-count", "open", None, "keyed"),
    Row("trusted-header", "keyed", None, "keyed", header=HEADER),
    Row("trusted-header-beside-an-unknown-key", "keyed", OTHER, "keyed", header=HEADER),
    Row(
        "trusted-header-in-place-of-a-required-key",
        "keyed",
        None,
        "keyed",
        header=HEADER,
        required=True,
    ),
    Row("unknown-project", (403, "project_not_found"), None, "nobody", header=HEADER),
    Row("empty-trusted-header-is-none", "open", None, "", header=HEADER),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_identify(row: Row) -> None:
    tables = (table(project_header=row.header, require_api_key=row.required), table("second"))
    held = [p for p in (KEYED, OPEN) if p.name in row.policies]
    found = identify(compile_plan(catalog(*held, tables=tables)), row.key, row.project)
    if isinstance(found, Denied):
        assert (found.status, found.code) == row.expected
        assert OTHER not in found.message
    else:
        assert (found.policy and found.policy.name) == row.expected
        assert found.table.name == (found.policy.table if found.policy else "main")


def test_the_anonymous_policy_of_another_table_does_not_hold() -> None:
    elsewhere = policy("elsewhere", table="second", anonymous=True)
    main = table()
    plan = compile_plan(catalog(elsewhere, tables=(main, table("second"))))
    assert identify(plan, None, None) == Caller(None, main)
