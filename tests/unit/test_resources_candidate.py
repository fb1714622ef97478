"""What policies say of a table that has a candidate, and what is compiled for them."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from prism.resources import Resource, compile_resources
from prism.routing.candidate_table import CandidateTable
from prism.routing.plan import compile_plan

from .test_resources_compile import TABLE, messages, policy, table

NEXT = {"candidate": {"table": "next"}}


def larger() -> Resource:
    """The candidate: another model, in another region."""
    document = copy.deepcopy(TABLE)
    spec = document["spec"]
    provider = {**spec["providers"][0], "name": "elsewhere", "region": "asia"}
    model = {**spec["models"][0], "name": "huge", "provider": "elsewhere"}
    return table("next", providers=[*spec["providers"], provider], models=[*spec["models"], model])


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"models": {"denied": ["huge"]}}, []),
        ({"models": {"allowed": ["huge", "gpt-5-mini"]}}, []),
        ({"regions": {"allowed": ["asia", "eu", "us"]}}, []),
        ({"models": {"denied": ["hugh"]}}, ['error: spec.models.denied[0]: no model "hugh"']),
        (
            {"forced": [{"task": "code", "model": "huge"}]},
            ["error: spec.forced[0].model: no model"],
        ),
    ],
)
def test_what_only_the_candidate_has_may_be_allowed_and_denied(
    spec: dict[str, Any], expected: list[str]
) -> None:
    found = [m for m in messages(table(**NEXT), larger(), policy(**spec)) if "error: " in m]
    assert len(found) == len(expected)
    assert all(said in found[0] for said in expected)


def smaller() -> Resource:
    """A candidate with one of the table's models only."""
    document = copy.deepcopy(TABLE)
    (first, *_), spec = document["spec"]["models"], document["spec"]
    cells = {task: {key: [first["name"]] for key in modes} for task, modes in spec["cells"].items()}
    return table("next", models=[first], cells=cells)


def test_a_forced_model_that_the_candidate_lacks_leaves_the_table_alone() -> None:
    forced = policy(forced=[{"task": "code", "model": "mistral-large"}])
    resources = [table(**NEXT), smaller(), forced]
    (said,) = [m for m in messages(*resources) if "candidate of" in m]
    assert "warning: spec.forced[0].model: RoutingTable/next, the candidate of" in said
    assert 'has no model "mistral-large", so RoutingTable/default alone decides' in said
    plan = compile_plan(compile_resources(resources)[0])
    assert ("next", "p") not in plan.scopes


def test_a_policy_that_leaves_nothing_of_the_candidate_is_told() -> None:
    bound = policy(models={"denied": ["gpt-5-mini"]})
    (said,) = [m for m in messages(table(**NEXT), smaller(), bound) if "candidate of" in m]
    assert "no model of RoutingTable/next, the candidate of RoutingTable/default, is left" in said


def test_a_candidate_is_compiled_with_a_scope_for_each_policy() -> None:
    catalog, _ = compile_resources(
        [
            table(candidate={"table": "next", "percent": 5}),
            larger(),
            policy(models={"denied": ["huge"]}),
        ]
    )
    assert catalog.tables["default"].candidate == CandidateTable("next", 5)
    plan = compile_plan(catalog)
    assert "huge" in plan.scopes["next", None].models
    assert "huge" in plan.scopes["next", "p"].ruled_out
    assert compile_plan(catalog, plan).scopes["next", "p"] is plan.scopes["next", "p"]


def test_a_candidate_that_was_refused_before_is_not_reported_again() -> None:
    _, problems = compile_resources([table(**NEXT)], {"RoutingTable/next"})
    assert not [p for p in problems if "no RoutingTable" in p.message]
