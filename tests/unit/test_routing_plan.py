"""What a plan refuses to be compiled from, and cost, the one multiplication."""

from __future__ import annotations

import pytest

from prism.routing.catalog import Catalog, Forced, Latency, Price
from prism.routing.cost import cost_usd, expected_output, latency_ms, usd
from prism.routing.plan import compile_plan

from .tables import BALANCED, CODE, SIMPLE, catalog, policy, table

BAD_CELL = table(cells={**table().cells, (CODE, BALANCED): ("nope",)})


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (Catalog({}, (), "main", "v"), "default table 'main' does not exist"),
        (catalog(policy(table="nope")), "policy acme: table 'nope' does not exist"),
        (catalog(tables=(BAD_CELL,)), r"table main: cell \(code, balanced\): no model 'nope'"),
        (
            catalog(policy(forced=(Forced(CODE, None, "nope"),))),
            "policy acme: forced model 'nope' does not exist",
        ),
    ],
    ids=["default-table", "policy-table", "cell", "forced"],
)
def test_a_name_that_points_to_nothing_fails_early(bad: Catalog, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        compile_plan(bad)


def test_a_model_named_twice_in_a_cell_is_tried_once() -> None:
    twice = table(cells={**table().cells, (CODE, BALANCED): ("large", "huge", "large")})
    plan = compile_plan(catalog(tables=(twice,)))
    cell = plan.scopes["main", None].cells[CODE, BALANCED]
    assert [model.name for model in cell.candidates] == ["large", "huge"]


def test_the_first_of_two_policies_keeps_a_shared_key() -> None:
    key = frozenset({"a" * 64})
    plan = compile_plan(catalog(policy("first", key_hashes=key), policy("then", key_hashes=key)))
    assert plan.by_key["a" * 64].name == "first"
    assert plan.version == "v1"


OTHER = table(name="other", generation="g-other")
CHEAPER = table(generation="g-cheaper", cells={**table().cells, (CODE, BALANCED): ("small",)})
CATALOGS = [
    catalog(),
    catalog(policy(), tables=(table(), OTHER)),
    catalog(policy(denied_models=frozenset({"huge"})), tables=(table(), OTHER)),
    catalog(policy(denied_models=frozenset({"huge"})), policy("b"), tables=(CHEAPER, OTHER)),
    catalog(policy("b"), policy(table="other"), tables=(OTHER, CHEAPER)),
    catalog(policy("b", default_mode=BALANCED), tables=(table(),)),
]


@pytest.mark.parametrize("after", CATALOGS)
@pytest.mark.parametrize("before", CATALOGS)
def test_a_plan_made_from_an_older_one_is_the_same(before: Catalog, after: Catalog) -> None:
    plan = compile_plan(after)
    made = compile_plan(after, compile_plan(before))
    assert made == plan
    assert list(made.tables) == list(plan.tables)
    assert list(made.policies) == list(plan.policies)


def test_what_is_the_same_is_taken_over() -> None:
    before = compile_plan(catalog(policy("a"), policy("b"), tables=(table(), OTHER)))
    after = compile_plan(
        catalog(policy("a"), policy("b", allow_pins=False), tables=(table(), OTHER)), before
    )
    assert after.scopes["main", "a"] is before.scopes["main", "a"]
    assert after.scopes["main", "b"] is not before.scopes["main", "b"]


def test_cost_counts_cached_input_as_part_of_the_input() -> None:
    price = Price(input=2.0, output=8.0, cached_input=0.5, cache_write=2.5)
    assert cost_usd(price, 1000, 500) == pytest.approx(0.006)
    assert cost_usd(price, 1000, 500, cached_input_tokens=400) == pytest.approx(0.0054)
    assert cost_usd(price, 1000, 0, cached_input_tokens=5000) == pytest.approx(0.0005)
    assert cost_usd(price, 1000, 0, 400, cache_write_tokens=200) == pytest.approx(
        (400 * 2 + 400 * 0.5 + 200 * 2.5) / 1e6
    )
    assert cost_usd(price, 1000, 0, 900, cache_write_tokens=200) == pytest.approx(0.0007)


def test_latency_is_first_token_plus_the_rest() -> None:
    assert latency_ms(Latency(200, 50), 100) == pytest.approx(2200)


def test_expected_output_stops_at_the_ceiling() -> None:
    assert expected_output(table(), SIMPLE, None) == 100
    assert expected_output(table(), SIMPLE, 40) == 40
    assert expected_output(table(), SIMPLE, 4000) == 100


@pytest.mark.parametrize(
    ("amount", "text"), [(0, "$0"), (0.0125, "$0.0125"), (10, "$10"), (0.00000012, "$0.00000012")]
)
def test_usd(amount: float, text: str) -> None:
    assert usd(amount) == text
