"""Events and listings, in whatever order they come."""

from __future__ import annotations

import itertools

import pytest

from prism_operator.inventory import Inventory

from .cluster_state import Document, key, policy


def at(version: int, name: str = "acme", generation: int = 1, uid: str = "u") -> Document:
    return policy(name, resourceVersion=str(version), generation=generation, uid=uid)


def test_only_what_matters_to_what_is_live_is_a_change() -> None:
    inventory = Inventory()
    assert inventory.put(at(1))
    assert not inventory.put(at(2)), "a status"
    assert inventory.put(at(3, generation=2))
    assert inventory.remove(at(4))
    assert not inventory.remove(at(4))


def test_a_spec_is_parsed_once() -> None:
    inventory = Inventory()
    inventory.put(at(1))
    first = inventory.all()[0]
    inventory.put(at(2))
    assert inventory.all()[0].resource is first.resource


def test_what_is_older_is_ignored() -> None:
    inventory = Inventory()
    inventory.put(at(5, generation=2))
    assert not inventory.put(at(4))
    assert inventory.all()[0].generation == 2


def test_what_was_deleted_does_not_come_back_by_an_old_event() -> None:
    inventory = Inventory()
    inventory.put(at(1))
    inventory.remove(at(3))
    assert not inventory.put(at(2))
    assert not inventory.listed("ProjectPolicy", "team", [at(2)], 2)
    assert len(inventory) == 0
    assert inventory.put(at(9, uid="another")), "made anew"


def test_a_listing_tells_what_is_gone_but_not_what_is_newer() -> None:
    inventory = Inventory()
    for number, name in enumerate(("gone", "stays", "other"), 1):
        inventory.put(at(number, name, uid=name))
    inventory.put(at(9, "new", uid="new"))
    inventory.put(policy("elsewhere", namespace="b", resourceVersion="4", uid="e"))
    assert inventory.listed("ProjectPolicy", "team", [at(2, "stays", uid="stays")], 8)
    assert {one.key.name for one in inventory.all()} == {"stays", "new", "elsewhere"}
    assert inventory.get(key("pp", "gone")) is None


STEPS = {
    "event 1": lambda i: i.put(at(1)),
    "event 2": lambda i: i.put(at(2, generation=2)),
    "deleted": lambda i: i.remove(at(3, generation=2)),
    "list at 2": lambda i: i.listed("ProjectPolicy", "team", [at(2, generation=2)], 2),
    "list at 4": lambda i: i.listed("ProjectPolicy", "team", [], 4),
}


@pytest.mark.parametrize("order", list(itertools.permutations(STEPS)))
def test_in_the_end_every_order_comes_to_the_same(order: tuple[str, ...]) -> None:
    inventory = Inventory()
    for step in order:
        STEPS[step](inventory)
    inventory.listed("ProjectPolicy", "team", [], 5)
    assert len(inventory) == 0


def test_a_resource_that_the_parser_fails_on_is_refused_and_not_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("prism_operator.observed.read_document", fail)
    inventory = Inventory()
    assert inventory.put(at(1))
    [one] = inventory.all()
    assert one.resource is None
    assert [problem.is_error for problem in one.problems] == [True]
