"""The attempt stage: the same request for another target."""

from __future__ import annotations

from dataclasses import replace

import pytest

from prism.exchange.steps import Reply, Rewrite
from prism.exchange.targets import Live
from prism.routing.catalog import Credential, Table

from .stages import ID, attempted, encoded, error_of, live, routed
from .tables import catalog, table

NAMED = {1: ("tiny", "acorn"), 2: ("small", "birch"), 3: ("medium", "acorn")}


def first(made: Live, body: bytes) -> Rewrite:
    step = routed(body, headers={"x-prism-mode": "eco"}, live=made)
    assert isinstance(step, Rewrite)
    assert step.body is not None
    return step


def elsewhere(**base_urls: str) -> Live:
    """A table whose providers lie at these base URLs."""
    made = table()
    providers = {
        name: replace(found, base_url=base_urls.get(name, found.base_url))
        for name, found in made.providers.items()
    }
    return live(catalog(tables=(replace(made, providers=providers),)))


@pytest.mark.parametrize("number", [1, 2, 3])
def test_each_attempt_has_its_own_key_path_and_model(number: int) -> None:
    made = elsewhere(acorn="https://acorn.test/openai/v1", birch="http://birch.test:81")
    body = encoded(prism={"mode": "eco"}, n=1)
    begun = first(made, body)
    assert begun.body is not None
    step = attempted(begun, number, begun.body, live=made)
    assert isinstance(step, Rewrite)
    name, owner = NAMED[number]
    headers = dict(step.set_headers)
    assert headers["authorization"] == f"Bearer sk-{owner}"
    base = {"acorn": "/openai/v1", "birch": ""}[owner]
    assert headers[":path"] == base + "/chat/completions"
    assert step.body == begun.body.replace(b'"acorn/tiny"', f'"{owner}/{name}"'.encode())
    assert headers["content-length"] == str(len(step.body))
    assert not step.reroute


def test_attempts_of_one_provider_are_told_apart_by_model_alone() -> None:
    made = live()
    begun = first(made, encoded())
    bodies = {number: attempted(begun, number, begun.body, live=made).body for number in NAMED}
    assert len(set(bodies.values())) == 3


def test_a_provider_without_a_key_gets_no_authorization() -> None:
    found = table()
    providers = {**found.providers, "birch": replace(found.providers["birch"], credentials=())}
    made = live(catalog(tables=(replace(found, providers=providers),)))
    begun = first(made, encoded())
    step = attempted(begun, 2, begun.body, live=made)
    assert isinstance(step, Rewrite)
    assert step.remove_headers == ("authorization", "api-key", "x-api-key")
    assert "authorization" not in dict(step.set_headers)


def test_a_request_without_a_body_is_sent_on_with_path_and_key() -> None:
    made = live()
    begun = first(made, encoded())
    step = attempted(begun, 2, None, live=made)
    assert isinstance(step, Rewrite)
    assert step.body is None
    assert dict(step.set_headers) == {
        ":path": "/v1/chat/completions",
        "authorization": "Bearer sk-birch",
        "x-envoy-upstream-rq-per-try-timeout-ms": "90000",
    }


@pytest.mark.parametrize("number", [0, 4, 99])
def test_an_attempt_that_nothing_was_planned_for_gets_503(number: int) -> None:
    made = live()
    step = attempted(first(made, encoded()), number, None, live=made)
    assert isinstance(step, Reply)
    assert step.status == 503
    assert b'"model_gone"' in step.body


def test_a_target_that_is_gone_or_has_lost_its_key_gets_503() -> None:
    begun = first(live(), encoded())
    for other in (elsewhere(birch="https://moved.test/v1"), live(keys={"acorn-key": "k"})):
        step = attempted(begun, 2, None, live=other)
        assert isinstance(step, Reply)
        assert step.status == 503


@pytest.mark.parametrize("span", ["", "1", "a-b", "-1-2", "1-", "٣-٤", "1-2-3", "1_0-20"])
def test_a_span_that_prism_did_not_write_gets_503(span: str) -> None:
    made = live()
    begun = first(made, encoded())
    step = attempted(begun, 2, None, live=made, **{"x-prism-model-span": span})
    assert isinstance(step, Reply)
    assert step.status == 503


def test_where_one_model_may_answer_its_other_keys_are_tried() -> None:
    made = table()
    keys = {"one": "sk-1", "two": "sk-2", "three": "sk-3"}
    credentials = tuple(Credential(name, 1) for name in keys)
    owner = replace(made.providers["acorn"], credentials=credentials)
    pooled = catalog(tables=(replace(made, providers={**made.providers, "acorn": owner}),))
    pool = live(pooled, {**keys, "birch-key": "sk-birch", "cedar-key": "sk-cedar"})
    body = encoded(model="tiny")
    sent = routed(body, live=pool)
    assert isinstance(sent, Rewrite)
    assert sent.body is not None
    steps = [sent, *(attempted(sent, number, sent.body, live=pool) for number in (2, 3))]
    used = [dict(step.set_headers) for step in steps if isinstance(step, Rewrite)]
    assert {headers["authorization"] for headers in used} == {
        "Bearer sk-1",
        "Bearer sk-2",
        "Bearer sk-3",
    }
    numbers = [headers["x-request-id"].removeprefix(f"{ID}.") for headers in used]
    assert sorted(numbers) == ["0", "1", "2"], "which key it was can be told from Envoy's log"


def test_a_single_key_leaves_the_request_s_id_alone() -> None:
    sent = first(live(), encoded())
    assert "x-request-id" not in dict(sent.set_headers)


def timeout_of(step: object) -> str | None:
    assert isinstance(step, Rewrite)
    return dict(step.set_headers).get("x-envoy-upstream-rq-per-try-timeout-ms")


@pytest.mark.parametrize(("after_ms", "left"), [(0, "90000"), (89_999, "1"), (-5000, "90000")])
def test_an_attempt_gets_what_is_left_of_the_time(after_ms: int, left: str) -> None:
    made = live()
    begun = first(made, encoded())
    step = attempted(begun, 2, begun.body, live=made, after_ms=after_ms)
    assert timeout_of(step) == left


@pytest.mark.parametrize("after_ms", [90_000, 10**9])
def test_past_the_deadline_no_attempt_is_made(after_ms: int) -> None:
    made = live()
    begun = first(made, encoded())
    step = attempted(begun, 2, begun.body, live=made, after_ms=after_ms, take=unasked)
    found = error_of(step)
    assert (found["code"], found["type"]) == ("deadline_exceeded", "timeout_error")
    assert "within 90 s" in found["message"]
    assert isinstance(step, Reply)
    assert step.status == 504
    assert ("x-envoy-ratelimited", "true") in step.headers, "Envoy must not go on"


def test_without_budget_no_attempt_is_made() -> None:
    made, asked = live(), []

    def take(table: Table) -> bool:
        asked.append(table.name)
        return False

    begun = first(made, encoded())
    step = attempted(begun, 2, begun.body, live=made, take=take)
    assert error_of(step)["code"] == "retry_budget_spent"
    assert isinstance(step, Reply)
    assert step.status == 503
    assert {("x-envoy-ratelimited", "true"), ("retry-after", "1")} <= set(step.headers)
    assert asked == ["main"]


def test_what_races_is_not_in_the_budget_and_keeps_its_own_limit() -> None:
    made = live()
    begun = first(made, encoded())
    raced = {"x-prism-attempt-timeout-ms": "30000"}
    step = attempted(begun, 2, begun.body, live=made, after_ms=1000, take=unasked, **raced)
    assert timeout_of(step) == "30000"
    step = attempted(begun, 2, begun.body, live=made, after_ms=80_000, take=unasked, **raced)
    assert timeout_of(step) == "10000"


def test_a_table_that_is_gone_bounds_nothing() -> None:
    made = live()
    begun = first(made, encoded())
    gone = {"x-prism-table": "gone"}
    step = attempted(begun, 2, begun.body, live=made, after_ms=10**9, take=unasked, **gone)
    assert timeout_of(step) is None


def unasked(_: Table) -> bool:
    raise AssertionError("the budget is not asked")
