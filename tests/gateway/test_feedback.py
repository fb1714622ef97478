"""Feedback through a real gateway: into the ledger, and only on a project's own decisions."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import openai
import pytest
from tests.ledger.postgres import Postgres

from prism.ledger.address import Address

from . import config
from .running import Gateway, chat, error_of, until
from .test_ledger import ask, kept, path


def give(gateway: Gateway, key: str = config.CLIENT_KEY, **members: Any) -> httpx.Response:
    headers = {"authorization": f"Bearer {key}"}
    url = f"{gateway.base_url}/prism/feedback"
    return httpx.post(url, json=members, headers=headers, timeout=60)


def test_feedback_meets_its_decision_at_once_and_once(
    client: openai.OpenAI, gateway: Gateway
) -> None:
    answer = client.chat.completions.with_raw_response.create(
        model="auto", messages=[{"role": "user", "content": "What is the capital of France?"}]
    )
    name = answer.headers["x-prism-decision-id"]
    # Apps give it with the client that they have.
    for _ in range(2):
        said = client.post(
            "/prism/feedback",
            body={"decision_id": name, "thumbs": "down", "comment": "Lyon?"},
            cast_to=dict[str, Any],
        )
        assert (said["decision_id"], said["score"]) == (name, 0.0)
    assert give(gateway, decision_id=name, score=0.75, id="review").status_code == 200
    entry = kept(Address.file(path(gateway)), name)
    found = {one.feedback_id: (one.score, one.comment) for one in entry.feedback}
    assert found == {"default": (0.0, "Lyon?"), "review": (0.75, None)}
    command = [sys.executable, "-m", "prism", "explain", name, "--ledger", str(path(gateway))]
    tree = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "default 0: Lyon?" in tree
    assert "outcome     200 from mini (alpha)" in tree


def test_another_project_may_not(gateway: Gateway) -> None:
    name = ask(gateway).headers["x-prism-decision-id"]
    for key, status, code in (
        (config.EURO_KEY, 404, "decision_not_found"),
        ("nobody-knows-this-key", 401, "invalid_api_key"),
    ):
        refused = give(gateway, key, decision_id=name, score=1)
        assert (refused.status_code, error_of(refused)["code"]) == (status, code)
    assert kept(Address.file(path(gateway)), name).feedback == ()


@pytest.mark.parametrize(
    ("members", "status", "code"),
    [
        ({"decision_id": "0" * 28, "score": 1}, 404, "decision_not_found"),
        ({"decision_id": "0" * 28}, 400, "invalid_feedback"),
        ({"decision_id": "0" * 28, "score": 7}, 400, "invalid_feedback"),
        ({"decision_id": "0" * 28, "score": 1, "comment": "x" * 100_000}, 400, "invalid_feedback"),
    ],
)
def test_bad_feedback(gateway: Gateway, members: dict[str, Any], status: int, code: str) -> None:
    refused = give(gateway, **members)
    assert (refused.status_code, error_of(refused)["code"]) == (status, code)


def test_only_post(http: httpx.Client) -> None:
    refused = http.get("/prism/feedback")
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")


def test_without_a_ledger(own_gateway: Callable[..., Gateway]) -> None:
    gateway = own_gateway("--ledger", "none")
    refused = give(gateway, decision_id=ask(gateway).headers["x-prism-decision-id"], score=1)
    assert (refused.status_code, error_of(refused)["code"]) == (404, "feedback_not_kept")


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    server = Postgres()
    yield server
    server.close()


def test_while_the_ledger_is_away_requests_go_on(
    own_gateway: Callable[..., Gateway], postgres: Postgres
) -> None:
    gateway = own_gateway("--ledger", postgres.url)
    name = ask(gateway).headers["x-prism-decision-id"]
    kept(Address.parse(postgres.url), name)
    postgres.stop()
    refused = give(gateway, decision_id=name, score=1)
    assert (refused.status_code, error_of(refused)["code"]) == (503, "ledger_unavailable")
    assert refused.headers["retry-after"] == "1"
    headers = {"authorization": f"Bearer {config.CLIENT_KEY}"}
    url = f"{gateway.base_url}/chat/completions"
    assert httpx.post(url, json=chat("hi"), headers=headers).status_code == 200
    postgres.start()
    until(
        lambda: give(gateway, decision_id=name, score=1).status_code == 200, "feedback to be kept"
    )
    assert kept(Address.parse(postgres.url), name).feedback[0].score == 1
