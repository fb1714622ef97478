"""Normalised specs to the engine's values, and what resources say about each other."""

from __future__ import annotations

import copy
import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from prism.resources import (
    Resource,
    compile_resources,
    effective_failure_mode,
    read_document,
    read_text,
    to_policy,
    to_table,
)
from prism.resources.durations import seconds
from prism.routing.bounds import Limits, Racing, Retry, RetryBudget, Wait
from prism.routing.catalog import (
    Api,
    Capability,
    ClassifierSettings,
    Credential,
    FailureMode,
    Forced,
    Mode,
    Price,
    Task,
)
from prism.routing.plan import compile_plan

DATA = Path(__file__).parents[1] / "data/resources/valid"
TABLE = yaml.safe_load((DATA / "table-smallest.yaml").read_text("utf-8"))


def resource(document: dict[str, Any]) -> Resource:
    made, problems = read_document(document)
    assert made is not None, problems
    return made


def table(name: str = "default", **spec: Any) -> Resource:
    document = copy.deepcopy(TABLE)
    document["metadata"]["name"] = name
    document["spec"].update(spec)
    return resource(document)


def policy(name: str = "p", **spec: Any) -> Resource:
    return resource(
        {
            "apiVersion": "routing.prism.dev/v1alpha1",
            "kind": "ProjectPolicy",
            "metadata": {"name": name},
            "spec": {"project": name, "apiKeys": [{"sha256": digest(name)}], **spec},
        }
    )


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def messages(*resources: Resource) -> list[str]:
    return [str(problem) for problem in compile_resources(resources)[1]]


def test_a_table_with_every_field() -> None:
    (made,), _ = read_text((DATA / "table-everything.yaml").read_bytes(), "t")
    result = to_table(made)
    assert (result.name, result.generation) == ("everything", made.generation)
    assert result.default_mode is Mode.ECO
    assert result.auto_names == {"auto", "prism/auto"}
    openai, anthropic = result.providers["openai"], result.providers["anthropic"]
    assert openai.credentials[0] == Credential("OPENAI_API_KEY", 3)
    assert (anthropic.api, anthropic.region, anthropic.credentials) == (Api.OPENAI, "no", ())
    mini, claude = result.models["openai/gpt-5-mini@2025"], result.models["claude"]
    assert mini.price == Price(0.25, 2.0, 0.025, 0.25)
    assert claude.price == Price(3.0, 15.0, 3.0, 3.0)
    assert (mini.upstream_name, claude.upstream_name) == ("gpt-5-mini-2025-08-07", "claude")
    assert mini.quality[Task.SIMPLE] == 1.0
    assert mini.latency.time_to_first_token_ms == 400.0
    assert mini.context_length == 400_000
    assert (mini.cache_ttl_s, claude.cache_ttl_s) == (3600.0, 300.0)
    assert mini.capabilities == frozenset(Capability)
    assert len(result.cells) == 12
    assert result.cells[Task.CODE, Mode.SPORT] == ("claude", "openai/gpt-5-mini@2025")
    assert result.expected_output_tokens[Task.REASONING] == 3
    assert result.classifier == ClassifierSettings(
        0.7, frozenset({Task.SIMPLE, Task.CODE}), 40.0, Task.REASONING
    )
    assert (result.project_header, result.require_api_key) == ("x-project", True)
    assert result.failure_mode is FailureMode.CLOSED
    assert result.retry == Retry(2, 90.0, 120.0, RetryBudget(10, 5))
    raced = frozenset({Mode.SPORT, Mode.BALANCED})
    assert result.racing == Racing(raced, Wait.P95, 250, 0.25, 2.5)


def test_a_policy_with_every_field() -> None:
    (made,), _ = read_text((DATA / "policy-everything.yaml").read_bytes(), "p")
    result = to_policy(made)
    assert (result.name, result.project, result.table) == (
        "everything",
        "Team-A.search",
        "everything",
    )
    assert result.key_hashes == {"a" * 64, "0123456789abcdef" * 4}
    assert result.default_mode is Mode.SPORT
    assert result.allowed_models == {"claude", "openai/gpt-5-mini@2025"}
    assert result.denied_models == {"other"}
    assert result.forced[0] == Forced(Task.CODE, None, "claude")
    assert result.forced[1].mode is Mode.ECO
    assert result.allowed_regions == {"us", "no"}
    assert (result.allow_pins, result.allow_racing, result.anonymous) == (False, False, True)
    assert result.limits == Limits(0.5, 0.6, 20000.0)


def test_a_policy_with_nothing_rules_nothing_out() -> None:
    result = to_policy(policy(), "main")
    assert result.table == "main"
    assert (result.allowed_models, result.allowed_regions, result.default_mode) == (None,) * 3
    assert (result.denied_models, result.limits) == (frozenset(), Limits())
    assert (result.allow_pins, result.allow_racing, result.anonymous) == (True, True, False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("500ms", 0.5), ("30s", 30), ("2m", 120), ("1h", 3600), ("1m30s", 90), ("1s500ms", 1.5)],
)
def test_durations(text: str, expected: float) -> None:
    assert seconds(text) == pytest.approx(expected)


def test_the_default_table_is_the_one_named_so_or_the_only_one() -> None:
    assert compile_resources([table("a"), table("default")])[0].default_table == "default"
    assert compile_resources([table("only")])[0].default_table == "only"
    catalog, problems = compile_resources([table("a"), table("b")])
    assert catalog.default_table == ""
    assert any("named default" in problem.message for problem in problems)
    catalog, (problem,) = compile_resources([])
    assert problem.is_error
    assert (catalog.tables, catalog.policies) == ({}, ())


def test_policies_without_a_table_get_the_default_one() -> None:
    catalog, problems = compile_resources([policy(), table("only")])
    assert problems == []
    assert catalog.policies[0].table == "only"


def test_the_version_changes_with_content_and_not_with_order() -> None:
    one, two = table(), policy()
    version = compile_resources([one, two])[0].version
    assert compile_resources([two, one])[0].version == version
    assert compile_resources([one, policy(pins="Denied")])[0].version != version
    assert compile_resources([one])[0].version != version
    assert compile_resources([one, policy("q")])[0].version != version


def test_references_to_refused_resources_are_not_reported_again() -> None:
    other = policy(table="other")
    assert any("no RoutingTable" in message for message in messages(table(), other))
    assert compile_resources([table(), other], {"RoutingTable/other"})[1] == []
    assert compile_resources([policy()], {"RoutingTable/default"})[1] == []


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ({"project": "x"}, {"project": "x"}, 'the project "x"'),
        ({"apiKeys": [{"sha256": "a" * 64}]}, {"apiKeys": [{"sha256": "a" * 64}]}, "this key"),
        ({"anonymous": True}, {"anonymous": True}, "the place of the anonymous policy"),
    ],
)
def test_what_two_policies_claim_is_an_error_on_both(
    first: dict[str, Any], second: dict[str, Any], expected: str
) -> None:
    found = messages(table(), policy("one", **first), policy("two", **second))
    assert len(found) == 2
    assert all(expected in message for message in found)
    assert found[0].startswith("ProjectPolicy/one: error")
    assert "ProjectPolicy/two" in found[0].partition("error")[2]
    assert "ProjectPolicy/one" in found[1].partition("error")[2]


def test_anonymous_policies_of_different_tables_do_not_clash() -> None:
    anonymous = [policy(n, table=n, anonymous=True) for n in ("default", "other")]
    (only,) = messages(table(), table("other"), *anonymous)
    assert "Closed is in force instead of Open: ProjectPolicy/other: its table is other" in only


def test_a_name_in_two_namespaces_is_an_error() -> None:
    document = copy.deepcopy(TABLE)
    document["metadata"]["namespace"] = "other"
    found = messages(table(), resource(document))
    assert len(found) == 2


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"models": {"denied": ["gpt-5-mni"]}}, 'did you mean "gpt-5-mini"?'),
        ({"models": {"allowed": ["gpt-5-mini", "x"]}}, "it has gpt-5-mini, mistral-large"),
        ({"regions": {"allowed": ["eu", "ue"]}}, 'no region "ue"'),
        ({"forced": [{"task": "code", "model": "x"}]}, 'no model "x"'),
        (
            {"regions": {"allowed": ["eu"]}, "forced": [{"task": "code", "model": "gpt-5-mini"}]},
            "gpt-5-mini is in the region us, which is not allowed",
        ),
        ({"table": "defualt"}, 'did you mean "default"?'),
    ],
)
def test_what_a_policy_says_of_its_table_must_be_true(spec: dict[str, Any], expected: str) -> None:
    errors = [m for m in messages(table(), policy(**spec)) if ": error: " in m]
    assert len(errors) == 1
    assert expected in errors[0]


def test_a_forced_model_stands_in_for_an_empty_cell() -> None:
    cells = copy.deepcopy(TABLE["spec"]["cells"])
    cells["code"]["eco"] = ["gpt-5-mini"]
    base = table(cells=cells, failureMode="Closed")
    denied = {"models": {"denied": ["gpt-5-mini"]}}
    (message,) = messages(base, policy(**denied))
    assert "the cell code/eco" in message
    forced = [{"task": "code", "mode": "eco", "model": "mistral-large"}]
    assert messages(base, policy(**denied, forced=forced)) == []


OPEN_CASES: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"failureMode": "Closed"}, {}, "spec.failureMode is Closed"),
    ({"identity": {"apiKeys": "Required"}}, {}, "spec.identity.apiKeys is Required"),
    ({}, {"models": {"denied": ["gpt-5-mini"]}}, "ProjectPolicy/p: gpt-5-mini is denied"),
    ({}, {"models": {"allowed": ["mistral-large"]}}, "not among the allowed models"),
    ({}, {"regions": {"allowed": ["eu"]}}, "in the region us"),
]


@pytest.mark.parametrize(("spec", "rules", "expected"), OPEN_CASES)
def test_open_is_demoted_where_it_is_not_safe(
    spec: dict[str, Any], rules: dict[str, Any], expected: str
) -> None:
    base, rule = table(**spec), policy(**rules)
    mode, reason = effective_failure_mode(to_table(base), [to_policy(rule)])
    assert mode is FailureMode.CLOSED
    assert expected in reason
    catalog, problems = compile_resources([base, rule])
    assert catalog.tables["default"].failure_mode is FailureMode.CLOSED
    warned = any("Closed is in force" in problem.message for problem in problems)
    assert warned is ("failureMode" not in spec)


def test_open_looks_at_the_cell_that_envoy_would_use() -> None:
    denied = to_policy(policy(models={"denied": ["gpt-5-mini"]}))
    sport = to_table(table(defaultMode="sport"))
    assert effective_failure_mode(sport, [denied])[0] is FailureMode.OPEN
    balanced = to_table(table())
    assert effective_failure_mode(balanced, [])[0] is FailureMode.OPEN
    elsewhere = to_policy(policy(table="other", models={"denied": ["gpt-5-mini"]}))
    assert effective_failure_mode(balanced, [elsewhere])[0] is FailureMode.CLOSED
    providers = copy.deepcopy(TABLE["spec"]["providers"])
    providers[0]["api"] = "Anthropic"
    mode, reason = effective_failure_mode(to_table(table(providers=providers)), [])
    assert mode is FailureMode.CLOSED
    assert "OpenAI API" in reason


def test_two_thousand_policies_compile() -> None:
    header = "apiVersion: routing.prism.dev/v1alpha1\nkind: ProjectPolicy\n"
    text = "---\n".join(
        f"{header}metadata: {{name: p{i}}}\nspec: {{project: p{i}, "
        f"apiKeys: [{{sha256: '{digest(str(i))}'}}], models: {{denied: [mistral-large]}}}}\n"
        for i in range(2000)
    )
    policies, problems = read_text(text, "p.yaml")
    catalog, more = compile_resources([table(), *policies])
    assert problems + more == []
    assert len(compile_plan(catalog).by_key) == 2000


def test_what_did_not_change_is_not_compiled_anew() -> None:
    tables, one, two = [table(), table("eu")], policy("a"), policy("b", table="eu")
    first = compile_resources([*tables, one, two])
    again = compile_resources([*tables, one, policy("b", table="eu", pins="Denied")])
    assert again[0].policies[0] is first[0].policies[0]
    assert again[0].policies[1] != first[0].policies[1]


def test_what_was_compiled_before_is_never_taken_for_what_it_is_now() -> None:
    """In whatever order resources are compiled together: as if it were for the first time."""
    plain, renamed = table(), table("other")
    lost = copy.deepcopy(TABLE)
    lost["spec"]["models"][0]["name"] = "renamed"
    for modes in lost["spec"]["cells"].values():
        modes.update({mode: ["renamed"] for mode in modes})
    changed = resource(lost)
    name = TABLE["spec"]["models"][0]["name"]
    denies, twin = policy("a", models={"denied": [name]}), policy("b", project="a")
    sets = [[plain, denies], [changed, denies], [renamed, denies], [plain, denies, twin]]
    for made in sets * 2 + sets[::-1]:
        fresh = [replace(one) for one in made]
        assert compile_resources(made) == compile_resources(fresh)
    assert f'no model "{name}"' in messages(changed, denies)[0]
    assert compile_resources([renamed, denies])[0].policies[0].table == "other"
