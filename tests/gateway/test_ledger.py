"""Decisions in the ledger, as they come through a real gateway."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from cryptography.fernet import Fernet
from tests.ledger.postgres import Postgres

from prism.ledger.address import Address
from prism.ledger.entry import Entry
from prism.ledger.finding import find
from prism.ledger.store import Away, Store
from prism.providers import Fault, FaultKind, SimulatedProviders
from prism.routing.attempt import Result

from . import config
from .running import Gateway, chat, until

MARK = "zebra-7714"
"""A word of the prompts here, to be found nowhere in a ledger."""
KEY = {"authorization": f"Bearer {config.CLIENT_KEY}"}


def path(gateway: Gateway) -> Path:
    return Path(gateway.status()["ledger"]["at"])


def kept(address: Address, decision_id: str, *, outcome: bool = True) -> Entry:
    """The ledger's entry, once it is there."""
    store = Store(address)

    def there() -> Entry | None:
        try:
            with store.reading() as connection:
                found = find(connection, decision_id)
        except Away:
            return None  # its tables are not made yet
        return None if found is None or (outcome and found.record.outcome is None) else found

    found: Entry = until(there, f"decision {decision_id} to be in the ledger")
    store.close()
    return found


def ask(gateway: Gateway, **more: Any) -> httpx.Response:
    body = chat(f"What is the capital of {MARK}?", **more)
    return httpx.post(f"{gateway.base_url}/chat/completions", json=body, headers=KEY, timeout=60)


def test_a_decision_is_kept_with_its_outcome_and_its_cost(
    gateway: Gateway, client: openai.OpenAI
) -> None:
    answer = client.chat.completions.with_raw_response.create(
        model="auto", messages=[{"role": "user", "content": f"What is the capital of {MARK}?"}]
    )
    usage = answer.parse().usage
    assert usage is not None
    entry = kept(Address.file(path(gateway)), answer.headers["x-prism-decision-id"])
    decision, outcome = entry.record.decision, entry.record.outcome
    assert outcome is not None
    assert (decision.project, decision.models[0], outcome.model) == ("client", "mini", "mini")
    assert decision.reasons
    price = config.MODELS["mini"][1] / 1e6
    cost = usage.prompt_tokens * price + usage.completion_tokens * price * 4
    assert entry.cost_usd == pytest.approx(cost)


def test_no_text_of_a_prompt_is_kept(gateway: Gateway) -> None:
    answer = ask(gateway)
    kept(Address.file(path(gateway)), answer.headers["x-prism-decision-id"])
    files = list(path(gateway).parent.glob("ledger.db*"))
    assert files
    for file in files:
        assert MARK.encode() not in file.read_bytes()


@pytest.mark.parametrize("how", ["Redacted", "Encrypted"])
def test_a_prompt_is_kept_where_its_project_asks_and_shown_to_who_has_the_key(
    own_gateway: Callable[..., Gateway], tmp_path: Path, how: str
) -> None:
    key = tmp_path / "prompt.key"
    key.write_bytes(Fernet.generate_key())
    policies = config.policies()
    policies[0]["spec"]["prompts"] = how
    gateway = own_gateway("--prompt-key", str(key), policies=policies)
    name = ask(gateway).headers["x-prism-decision-id"]
    kept(Address.file(path(gateway)), name)
    command = [sys.executable, "-m", "prism", "explain", name, "--ledger", str(path(gateway))]

    def shown(*more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*command, *more], capture_output=True, text=True, check=False)

    # Its number is taken out where it is redacted.
    words = MARK if how == "Encrypted" else "zebra-[number]"
    assert "zebra" not in shown().stdout
    opened = ("--prompt", "--prompt-key", str(key))
    until(lambda: words in shown(*opened).stdout, "the prompt to be kept")
    without = shown("--prompt")
    files = b"".join(file.read_bytes() for file in path(gateway).parent.glob("ledger.db*"))
    if how == "Encrypted":
        assert "there is no key" in without.stderr
    else:
        assert words in without.stdout
    assert MARK.encode() not in files
    assert MARK not in gateway.log.read_text() + str(gateway.status())


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault(kind=FaultKind.STATUS, status=503), (503, None)),
        (Fault(kind=FaultKind.RESET), (None, "connection closed")),
        (Fault(kind=FaultKind.HANG), (None, "no headers in time")),
    ],
)
def test_each_attempt_is_kept_with_its_model_its_end_and_its_times(
    own_gateway: Callable[..., Gateway],
    providers: SimulatedProviders,
    fault: Fault,
    said: tuple[int | None, str | None],
) -> None:
    gateway = own_gateway(retry={"attemptTimeout": "1s", "maxAttempts": 3})
    providers.fault("alpha", fault)
    answer = ask(gateway)
    assert answer.headers["x-prism-attempts"] == "2"
    name, model = answer.headers["x-prism-decision-id"], answer.headers["x-prism-model"]
    outcome = kept(Address.file(path(gateway)), name).record.outcome
    assert outcome is not None
    first, second = outcome.tried
    assert (first.model, first.provider, first.result) == ("mini", "alpha", Result.FAILED)
    assert (first.status, first.reason) == said
    assert (second.model, second.result, second.status) == (model, Result.ANSWERED, 200)
    assert first.began_ms is not None
    assert first.took_ms is not None
    assert second.began_ms is not None
    assert first.began_ms + first.took_ms <= second.began_ms + 5
    assert outcome.total_ms is not None
    assert second.began_ms <= outcome.total_ms
    command = [sys.executable, "-m", "prism", "explain", name, "--ledger", str(path(gateway))]
    tree = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "mini (alpha): failed, " in tree


def test_a_refusal_is_kept_and_a_dry_run_is_not(gateway: Gateway) -> None:
    refused = ask(gateway, model="nothing")
    assert refused.status_code == 404
    name = refused.headers["x-prism-decision-id"]
    entry = kept(Address.file(path(gateway)), name, outcome=False)
    assert entry.record.decision.refusal is not None
    dry = httpx.post(f"{gateway.base_url}/prism/route", json=chat("hi"), headers=KEY)
    later = ask(gateway)
    kept(Address.file(path(gateway)), later.headers["x-prism-decision-id"])
    store = Store(Address.file(path(gateway)))
    with store.reading() as connection:
        assert find(connection, dry.json()["id"]) is None


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    server = Postgres()
    yield server
    server.close()


def test_a_killed_server_goes_on_with_its_ledger_in_postgresql(
    own_gateway: Callable[..., Gateway], postgres: Postgres
) -> None:
    gateway = own_gateway("--ledger", postgres.url)
    address = Address.parse(postgres.url)
    first = ask(gateway).headers["x-prism-decision-id"]
    kept(address, first)
    assert "secret-word" not in gateway.log.read_text() + str(gateway.status())
    before = gateway.children()["prism"]
    gateway.kill("prism")
    until(lambda: gateway.children().get("prism", before) != before, "another server")
    until(lambda: gateway.ready() and ask(gateway).status_code == 200, "the gateway to be back")
    second = ask(gateway).headers["x-prism-decision-id"]
    kept(address, second)
    kept(address, first)


def test_without_a_ledger_requests_are_answered_all_the_same(
    own_gateway: Callable[..., Gateway],
) -> None:
    gateway = own_gateway("--ledger", "none")
    assert ask(gateway).status_code == 200
    assert "ledger" not in gateway.status()


def test_a_database_that_is_away_holds_up_no_request(
    own_gateway: Callable[..., Gateway], postgres: Postgres
) -> None:
    gateway = own_gateway("--ledger", postgres.url)
    kept(Address.parse(postgres.url), ask(gateway).headers["x-prism-decision-id"])
    postgres.stop()
    names = [ask(gateway).headers["x-prism-decision-id"] for _ in range(20)]
    until(lambda: gateway.status()["ledger"]["trouble"], "the server to notice")
    postgres.start()
    for name in names:
        kept(Address.parse(postgres.url), name)
    assert gateway.status()["ledger"]["lost"] == 0
