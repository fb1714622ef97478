"""The route stage under budgets: what is asked when, and the answers of spent ones."""

from __future__ import annotations

from collections.abc import Mapping

from prism.exchange.route import RouteStage
from prism.exchange.steps import Classify, Proceed, Reply, RequestHeaders, Rewrite, Step
from prism.routing.bounds import Budget, Period, WhenSpent
from prism.routing.budget import Spending, Spent
from prism.routing.catalog import Policy
from prism.routing.decide import Health

from .stages import CHAT, ID, encoded, error_of, hashed, live, messages_error_of
from .tables import catalog, classified, policy

HARD = (Period.DAY, WhenSpent.REFUSE)
SPENT = Spent(50.0, False, True, 1_764_288_000, 60)
ROOM = Spent(1.0, True, True, 1_764_288_000, 60)
ACME = policy(key_hashes=hashed("k"), budgets=(Budget(Period.DAY, 50.0, WhenSpent.REFUSE),))


class Asked:
    """Says at each time what is spent, the last for ever, and to whom it said so."""

    def __init__(self, *said: Spending) -> None:
        self.said = list(said)
        self.policies: list[str | None] = []

    def __call__(self, of: Policy | None) -> Spending:
        self.policies.append(None if of is None else of.name)
        return self.said.pop(0) if len(self.said) > 1 else self.said[0]


def through(asked: Asked, path: str = CHAT) -> tuple[RouteStage, Step]:
    stage = RouteStage(live(catalog(ACME)), Health(), ID, spending_of=asked)
    headers: Mapping[str, str] = {":method": "POST", ":path": path, "authorization": "Bearer k"}
    assert isinstance(stage.on_headers(RequestHeaders(headers, complete=False)), Proceed)
    return stage, stage.on_body(encoded())


def test_a_spent_budget_is_answered_without_asking_the_classifier() -> None:
    stage, step = through(Asked({HARD: SPENT}))
    assert isinstance(step, Reply)
    assert step.status == 429
    assert error_of(step)["code"] == "budget_spent"
    headers = dict(step.headers)
    assert (headers["retry-after"], headers["x-should-retry"]) == ("60", "false")
    assert stage.routed is not None
    assert stage.routed.spending == {HARD: SPENT}


def test_clients_of_anthropics_api_get_their_own_shape() -> None:
    _, step = through(Asked({HARD: SPENT}), "/v1/messages")
    assert isinstance(step, Reply)
    assert messages_error_of(step)["type"] == "rate_limit_error"
    assert dict(step.headers)["retry-after"] == "60"


def test_counting_tokens_is_free() -> None:
    assert through(Asked({HARD: ROOM}), "/v1/messages/count_tokens")[0].free
    assert not through(Asked({HARD: ROOM}), "/v1/messages")[0].free


def test_what_others_spend_during_the_classification_counts() -> None:
    stage, step = through(Asked({HARD: ROOM}, {HARD: SPENT}))
    assert isinstance(step, Classify)
    step = stage.on_classified(classified(), None)
    assert isinstance(step, Reply)
    assert step.status == 429


def test_with_room_a_request_goes_out() -> None:
    asked = Asked({HARD: ROOM})
    stage, _ = through(asked)
    assert isinstance(stage.on_classified(classified(), None), Rewrite)
    assert set(asked.policies) == {"acme"}


def test_a_dry_run_shows_the_refusal() -> None:
    _, step = through(Asked({HARD: SPENT}), "/v1/prism/route")
    assert isinstance(step, Reply)
    assert step.status == 200
    assert b'"code":"budget_spent"' in step.body
    assert b'"retryAfterS":60' in step.body
