"""The status of a resource, case by case."""

from __future__ import annotations

import json
from typing import Any

import pytest

from prism.resources import Problem, Severity
from prism_operator.conditions import Status, differs, find, status_of, urgent
from prism_operator.crds import crd
from prism_operator.events import transitions
from prism_operator.observed import Observed, observe
from prism_operator.rollout import Reach
from prism_operator.settlement import Reason, Verdict

from .cluster_state import policy, table

NOW, LATER = "2026-01-01T00:00:00Z", "2026-01-01T00:05:00Z"
ONE, TABLE = observe(policy("acme")), observe(table())
GOOD = Verdict(Reason.ACCEPTED, (), ONE.resource)
WRONG = Problem(Severity.ERROR, "is wrong", "spec.project")
BAD = Verdict(Reason.INVALID, (WRONG, WRONG), None)
ALL = Reach(3, 3)


def observed(status: Status, generation: int = 1) -> Observed:
    return observe(policy("acme", status=dict(status), generation=generation))


def made(
    verdict: Verdict = GOOD,
    reach: Reach = ALL,
    version: str = "v1",
    withheld: str = "",
    now: str = NOW,
    one: Observed = ONE,
) -> Status:
    return status_of(one, verdict, reach, version, withheld, now)


CASES: list[Any] = [
    pytest.param({}, "True", "Programmed", "3/3 replicas at snapshot v1.", id="live"),
    pytest.param({"verdict": BAD}, "False", "NotAccepted", "nothing of it is in force", id="bad"),
    pytest.param(
        {"verdict": Verdict(Reason.INVALID, (WRONG,), ONE.resource)},
        "False",
        "NotAccepted",
        "the last good version stays in force",
        id="last good",
    ),
    pytest.param(
        {"withheld": "there is no table"}, "False", "Withheld", "there is no table", id="withheld"
    ),
    pytest.param(
        {"verdict": Verdict(Reason.ACCEPTED, (), ONE.resource, deleted_table="eu")},
        "False",
        "TableDeleted",
        "RoutingTable/eu was deleted",
        id="table deleted",
    ),
    pytest.param(
        {"verdict": Verdict(Reason.ACCEPTED, (), TABLE.resource, deleted_table="next")},
        "False",
        "TableDeleted",
        "its last version stays in force for this table. Create it again or change spec.candidate",
        id="candidate deleted",
    ),
    pytest.param({"reach": Reach(0, 0)}, "Unknown", "NoReplicas", "No replica", id="no replicas"),
    pytest.param(
        {"reach": Reach(1, 3, (("gw-2", "no room"),), ("gw-1",))},
        "False",
        "Refused",
        "1 of 3 replicas refused it; gw-2: no room",
        id="refused",
    ),
    pytest.param(
        {"reach": Reach(1, 3, (), ("gw-2", "gw-1"))},
        "False",
        "Pending",
        "1/3 replicas at snapshot v1; waiting for gw-1, gw-2.",
        id="pending",
    ),
]


@pytest.mark.parametrize(("given", "status", "reason", "message"), CASES)
def test_the_condition_programmed(
    given: dict[str, Any], status: str, reason: str, message: str
) -> None:
    condition = find(made(**given), "Programmed")
    assert (condition["status"], condition["reason"]) == (status, reason)
    assert message in condition["message"]


def test_every_problem_is_listed_with_its_path() -> None:
    status = made(BAD)
    assert (
        status["problems"]
        == [{"path": "spec.project", "message": "is wrong", "severity": "error"}] * 2
    )
    accepted = find(status, "Accepted")
    assert accepted["reason"] == "Invalid"
    assert accepted["message"] == "spec.project: is wrong (and 1 more in status.problems)"
    assert status["snapshot"] is None


def test_thousands_of_problems_are_cut_off_with_the_errors_first() -> None:
    """So that none is larger than the CRD allows, nor than fits beside the largest spec."""
    odd = Problem(Severity.WARNING, "😀" * 5000, "spec." + "x" * 5000)
    status = made(Verdict(Reason.INVALID, (*[odd] * 2000, WRONG), None))
    assert status["problems"][0]["message"] == "is wrong"
    assert status["problems"][-1]["message"] == "and 1937 more; prism validate shows all"
    (schema,) = crd("ProjectPolicy")["spec"]["versions"]
    listed = schema["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]["problems"]
    assert len(status["problems"]) == listed["maxItems"]
    for name in ("path", "message"):
        longest = max(len(problem[name]) for problem in status["problems"])
        assert longest == listed["items"]["properties"][name]["maxLength"]
    assert len(json.dumps(status, ensure_ascii=False).encode()) < 768 * 1024


def test_the_same_again_is_no_difference() -> None:
    first = made()
    again = made(one=observed(first), now=LATER)
    assert not differs(again, first)
    assert find(again, "Programmed")["lastTransitionTime"] == NOW


def test_a_transition_has_its_time_and_only_that() -> None:
    first = made()
    second = made(reach=Reach(2, 3, (), ("gw-1",)), one=observed(first), now=LATER)
    assert find(second, "Programmed")["lastTransitionTime"] == LATER
    assert find(second, "Accepted")["lastTransitionTime"] == NOW


def test_another_resources_change_is_no_change_of_this_one() -> None:
    first = made()
    assert not differs(made(version="v2", one=observed(first), now=LATER), first)


def test_a_new_generation_names_the_snapshot_it_went_live_in() -> None:
    newer = made(version="v2", one=observed(made(), generation=2))
    assert newer["snapshot"] == "v2"
    assert newer["observedGeneration"] == 2


def test_a_refused_change_keeps_the_snapshot_of_what_is_in_force() -> None:
    refused = Verdict(Reason.INVALID, (WRONG,), ONE.resource)
    first = made(refused, version="v2", one=observed(made(), generation=2))
    assert first["snapshot"] == "v1"
    mended = made(version="v3", one=observed(first, generation=3))
    assert mended["snapshot"] == "v3"


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (None, {}, True),
        ({"reach": Reach(0, 0)}, {}, True),
        ({}, {"verdict": BAD}, True),
        ({}, {"reach": Reach(2, 3, (("gw", "no"),))}, True),
        ({}, {"reach": Reach(4, 4)}, False),
        ({}, {"reach": Reach(2, 3, (), ("gw",))}, False),
        ({}, {"reach": Reach(0, 0)}, False),
    ],
)
def test_numbers_of_replicas_can_wait_and_the_rest_cannot(
    before: dict[str, Any] | None, after: dict[str, Any], expected: bool
) -> None:
    old: Status = {} if before is None else made(**before)
    assert urgent(made(**after, one=observed(old)), old) is expected


@pytest.mark.parametrize(
    ("before", "after", "reasons"),
    [
        (None, {}, ["Programmed"]),
        (None, {"verdict": BAD}, ["Invalid"]),
        (None, {"reach": Reach(0, 0)}, []),
        ({}, {}, []),
        ({}, {"reach": Reach(4, 4)}, []),
        ({}, {"reach": Reach(2, 3, (("gw", "no"),))}, ["Refused"]),
        ({"reach": Reach(2, 3, (("gw", "no"),))}, {"reach": Reach(2, 3, (("gw", "no"),))}, []),
        ({"verdict": BAD}, {}, ["Programmed"]),
        ({"verdict": BAD}, {"verdict": BAD}, []),
    ],
)
def test_events_are_of_changes_only(
    before: dict[str, Any] | None, after: dict[str, Any], reasons: list[str]
) -> None:
    old: Status = {} if before is None else made(**before)
    found = transitions(made(**after, one=observed(old)), old)
    assert [message.reason for message in found] == reasons
