"""What the route stage writes: headers, the bytes of the body, and what precedes what."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from prism.exchange.route import RouteStage
from prism.exchange.steps import Classify, Proceed, Reply, RequestHeaders, Rewrite
from prism.exchange.targets import Live
from prism.routing.bounds import Limits
from prism.routing.catalog import Mode
from prism.routing.decide import Health

from .stages import CHAT, HI, ID, encoded, hashed, live, routed
from .tables import catalog, policy, provider, table


def written(body: bytes | None, **request: Any) -> Rewrite:
    step = routed(body, **{"live": live(), **request})
    assert isinstance(step, Rewrite), step
    return step


def clusters(step: Rewrite) -> list[str]:
    """The models of the attempts' clusters, the first one's first."""
    found = [(n, v) for n, v in step.labels.items() if n.startswith("x-prism-cluster-")]
    straight = [v for n, v in step.set_headers if n == "x-prism-first-cluster"]
    assert straight == [value for _, value in found[:1]]
    assert [n for n, _ in found] == [f"x-prism-cluster-{i}" for i in range(1, len(found) + 1)]
    return [value.split("/")[2] for _, value in found]


def test_attempt_one_is_written_in_full() -> None:
    body = encoded(prism={"mode": "eco"}, seed=12345678901234567890)
    step = written(body, headers={"authorization": "Bearer client", "api-key": "client"})
    headers = dict(step.set_headers)
    assert len(headers) == len(step.set_headers), "no header is set twice"
    assert headers[":path"] == "/v1/chat/completions"
    assert headers["authorization"] == "Bearer sk-acorn"
    assert headers["x-prism-decision-id"] == ID
    assert headers["x-envoy-max-retries"] == "2"
    assert headers["x-envoy-upstream-rq-per-try-timeout-ms"] == "30000"
    assert step.labels["x-prism-api-path"] == "/chat/completions"
    assert {"api-key", "x-api-key"} <= set(step.remove_headers)
    assert "authorization" not in step.remove_headers
    assert clusters(step) == ["tiny", "small", "medium"]
    assert step.reroute
    assert step.labels.items() >= {"decision_id": ID, "task": "code", "mode": "eco"}.items()
    assert step.body == body.replace(b'"auto"', b'"acorn/tiny"').replace(
        b'"prism":{"mode":"eco"},', b""
    )
    assert headers["content-length"] == str(len(step.body))
    start, end = map(int, step.labels["x-prism-model-span"].split("-"))
    assert step.body[start:end] == b'"acorn/tiny"'


def test_a_lone_model_needs_no_further_attempts() -> None:
    step = written(encoded(model="huge"))
    headers = dict(step.set_headers)
    assert clusters(step) == ["huge"]
    assert headers["x-envoy-max-retries"] == "0"
    assert not {"x-prism-api-path", "x-prism-model-span"} & set(step.labels)


def test_a_provider_without_a_key_gets_none() -> None:
    cedar = replace(provider("cedar", "us"), base_url="http://cedar.test:1234", credentials=())
    made = table(providers={**table().providers, "cedar": cedar})
    step = written(
        encoded(model="huge"),
        live=live(catalog(tables=(made,)), {}),
        headers={"authorization": "Bearer client"},
    )
    assert "authorization" in step.remove_headers
    assert "authorization" not in dict(step.set_headers)
    assert dict(step.set_headers)[":path"] == "/chat/completions"


def test_models_whose_key_is_missing_are_left_out() -> None:
    step = written(encoded(), live=live(keys={"birch-key": "sk-birch", "acorn-key": ""}))
    assert clusters(step) == ["large"]
    assert dict(step.set_headers)["authorization"] == "Bearer sk-birch"


def test_the_trusted_project_header_does_not_reach_the_provider() -> None:
    made = live(catalog(policy(), tables=(table(project_header="x-team"),)))
    step = written(encoded(), live=made, headers={"x-team": "acme"})
    assert "x-team" in step.remove_headers


@pytest.mark.parametrize(
    ("path", "below"),
    [
        (CHAT, "/chat/completions"),
        (CHAT + "/", "/chat/completions"),
        (CHAT + "?api-version=1&x=/../", "/chat/completions?api-version=1&x=/../"),
        (CHAT + "/?a", "/chat/completions?a"),
    ],
)
def test_the_path_keeps_its_query(path: str, below: str) -> None:
    step = written(encoded(), path=path)
    assert dict(step.set_headers)[":path"] == "/v1" + below
    assert step.labels["x-prism-api-path"] == below


@pytest.mark.parametrize(
    ("prism", "headers", "models"),
    [
        ({"mode": "eco"}, {}, ["tiny", "small", "medium"]),
        ({"mode": "eco"}, {"x-prism-mode": "balanced"}, ["medium", "large"]),
        ({"mode": "nonsense"}, {"x-prism-mode": " Balanced "}, ["medium", "large"]),
        ({"model_prefer": "tiny"}, {}, ["tiny"]),
        ({"model_prefer": "tiny"}, {"x-prism-model-prefer": "huge"}, ["huge"]),
        ({"model_prefer": "tiny"}, {"x-prism-model-prefer": ""}, ["medium", "large"]),
        ({"min_quality": 0.8}, {}, ["large"]),
        ({"min_quality": 0.8}, {"x-prism-min-quality": "0"}, ["medium", "large"]),
    ],
)
def test_a_header_comes_before_its_kwarg(
    prism: dict[str, Any], headers: dict[str, str], models: list[str]
) -> None:
    step = written(encoded(prism=prism), headers=headers)
    assert clusters(step) == models
    assert step.body is not None
    assert b"prism" not in step.body


def test_limits_of_headers_and_kwargs_are_joined_one_by_one() -> None:
    stage = RouteStage(live(), Health(), ID)
    sent = {":method": "POST", ":path": CHAT, "x-prism-max-cost": " 0.5 "}
    assert stage.on_headers(RequestHeaders(sent, complete=False)) == Proceed()
    assert isinstance(stage.on_body(encoded(prism={"max_cost": 9, "min_quality": 0.6})), Classify)
    stage.on_classified(None, "late")
    assert stage.routed is not None
    assert stage.routed.signals.limits == Limits(0.5, 0.6, None)


def test_the_classifier_is_asked_only_where_it_can_change_something() -> None:
    stage = RouteStage(live(), Health(), ID)
    stage.on_headers(RequestHeaders({":method": "POST", ":path": CHAT}, complete=False))
    assert stage.on_body(encoded()) == Classify("hi", 20)
    assert stage.routed is None
    pinned = RouteStage(live(), Health(), ID)
    pinned.on_headers(RequestHeaders({":method": "POST", ":path": CHAT}, complete=False))
    assert isinstance(pinned.on_body(encoded(model="large")), Rewrite)


def test_without_a_classification_the_safe_cell_is_taken_and_said() -> None:
    step = written(encoded(), degraded="deadline of 20 ms passed")
    assert step.labels["task"] == "complex"


TINY = {"x-prism-model-prefer": "tiny"}
SENT = b'{"model":"acorn/tiny"}'
JSON = {"content-type": "application/json"}
FORM = {"content-type": "multipart/form-data; boundary=x"}
GZIP = {**JSON, "content-encoding": "gzip"}
PLAIN = {"content-encoding": "Identity"}
OTHER = [
    ("embeddings", b'{"model":"tiny","n":1}', {}, b'{"model":"acorn/tiny","n":1}'),
    ("embeddings?a=b", b'{"prism":{"mode":"eco"}, "model":"tiny"}', JSON, SENT),
    ("responses", b'{"model":"auto"}', TINY, SENT),
    ("responses", b'{"model":"huge"}', TINY, SENT),
    ("responses", b'{"model":"auto","prism":{"model_prefer":"tiny"}}', {}, SENT),
    ("moderations", b'{"input":"x"}', TINY, None),
    ("moderations", b'{"input":"x","prism":{"model_prefer":"tiny"}}', {}, b'{"input":"x"}'),
    ("audio/transcriptions", b"--x\r\nmodel\r\n\xff\x00--x--", {**FORM, **TINY}, None),
    ("embeddings", b"\x1f\x8b", {**GZIP, **TINY}, None),
    ("responses", b" ", TINY, None),
    ("responses", b"", {**JSON, **TINY}, None),
    ("files/a..b", b'{"model":"tiny"}', PLAIN, SENT),
]


@pytest.mark.parametrize(("path", "body", "headers", "expected"), OTHER)
def test_other_paths_go_to_the_model_that_they_name(
    path: str, body: bytes, headers: dict[str, str], expected: bytes | None
) -> None:
    step = written(body, path="/v1/" + path, headers=headers)
    assert step.body == expected
    sent = dict(step.set_headers)
    assert sent[":path"] == "/v1/" + path
    assert sent.get("content-length") == (None if expected is None else str(len(expected)))
    assert clusters(step) == ["tiny"]


def test_a_request_without_a_body_goes_by_its_pin() -> None:
    headers = {"x-prism-model-prefer": "large", "content-type": "application/json"}
    step = written(None, path="/v1/files?limit=2", method="GET", headers=headers)
    assert step.body is None
    assert dict(step.set_headers)[":path"] == "/v1/files?limit=2"


def answer_of(step: Reply | Rewrite) -> Any:
    assert isinstance(step, Reply)
    assert step.status == 200
    assert dict(step.headers) == {"content-type": "application/json", "x-prism-decision-id": ID}
    return json.loads(step.body)


def listed(made: Live, **headers: str) -> list[str]:
    step = routed(path="/v1/models", method="GET", headers=headers, live=made)
    return [item["id"] for item in answer_of(step)["data"]]


def test_the_list_of_models_is_the_callers_own() -> None:
    made = live(
        catalog(
            policy("a", key_hashes=hashed("a"), allowed_regions=frozenset({"eu"})),
            policy("b", key_hashes=hashed("b"), allow_pins=False),
            policy("c", anonymous=True, denied_models=frozenset({"huge"})),
        )
    )
    assert listed(made, authorization="Bearer a") == ["auto", "prism", "tiny", "medium"]
    assert listed(made, **{"api-key": "b"}) == ["auto", "prism"]
    assert "huge" not in listed(made)


@pytest.mark.parametrize("path", ["/v1/models/large", "/v1/models/large/", "/v1/models/lar%67e"])
def test_one_model(path: str) -> None:
    found = answer_of(routed(path=path, method="GET", live=live()))
    assert found == {
        "id": "large",
        "object": "model",
        "created": 0,
        "owned_by": "birch",
        # Anthropic's words.
        "type": "model",
        "display_name": "large",
        "created_at": "1970-01-01T00:00:00Z",
        "lifecycle": "active",
        "max_input_tokens": 100_000,
    }
    assert answer_of(routed(path="/v1/models/auto", method="HEAD", live=live()))["id"] == "auto"
    missing = routed(path="/v1/models/nope", method="GET", live=live())
    assert isinstance(missing, Reply)
    assert missing.status == 404


def test_a_dry_run_answers_with_the_decision_and_calls_nobody() -> None:
    body = encoded(prism={"mode": "sport"})
    found = answer_of(routed(body, path="/v1/prism/route", live=live(keys={})))
    assert found["object"] == "prism.decision"
    assert found["id"] == ID
    assert found["planVersion"] == "v1"
    assert found["classification"]["task"] == "code"
    assert found["models"] == ["huge", "large", "medium"]
    assert found["mode"] == Mode.SPORT
    refused = answer_of(
        routed(encoded(model="nope", messages=HI), path="/v1/prism/route", live=live())
    )
    assert refused["models"] == []
    assert refused["refusal"]["code"] == "model_not_found"
