"""Whatever a provider does, the client gets the right answer once, whole, or a clear error.

The cases are in ``chaos.py``. Nothing is switched between them, so any of them runs alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import httpx
import openai
import pytest
import yaml

from prism.providers import FaultKind, SimulatedProviders
from prism.providers.received import ReceivedRequest

from . import chaos
from .chaos import FAILS, KEYS, Case, Ends, upstream
from .running import Gateway, error_of, simulated, until

CASES = list(chaos.cases())
LANES = list(dict.fromkeys(case.lane for case in CASES))
SAID = {FaultKind.STATUS, FaultKind.STREAM_ERROR, FaultKind.GARBAGE}
"""Faults that show in what a provider says, rather than in when it says it."""


@pytest.fixture(scope="module")
def providers() -> Iterator[SimulatedProviders]:
    with simulated(chaos.specs()) as made:
        for lane in LANES:
            if lane.fault is not None:
                made.fault(FAILS, lane.fault)
        yield made


@pytest.fixture(scope="module")
def twins() -> Iterator[SimulatedProviders]:
    """The same, asked by the tests themselves: they tell what the gateway's client must get."""
    with simulated(chaos.specs()) as made:
        for lane in LANES:
            if lane.fault is not None and lane.fault.kind in SAID:
                made.fault(FAILS, lane.fault)
        yield made


@pytest.fixture(scope="module")
def gateway(
    providers: SimulatedProviders, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    scratch = tmp_path_factory.mktemp("chaos")
    (scratch / "config").mkdir()
    documents = chaos.documents(LANES, {name: providers.url(name) for name in KEYS})
    text = yaml.dump_all(documents, Dumper=yaml.CSafeDumper)
    (scratch / "config" / "chaos.yaml").write_text(text, "utf-8")
    made = Gateway(scratch / "config", scratch, chaos.ENVIRONMENT)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    """One client for all: making one takes longer than most requests here."""
    with httpx.Client(timeout=120) as made:
        yield made


def named(client: str) -> pytest.MarkDecorator:
    chosen = [case for case in CASES if case.client == client]
    return pytest.mark.parametrize("case", chosen, ids=lambda case: case.name)


@named("raw")
def test_the_right_answer_once_or_a_clear_error(
    gateway: Gateway,
    providers: SimulatedProviders,
    twins: SimulatedProviders,
    http: httpx.Client,
    case: Case,
) -> None:
    answer, got, broken = answer_to(gateway, http, case)
    asked = requests_of(case, providers)
    check_requests(case, asked)
    lane = case.lane
    if lane.ends is Ends.ERROR:
        error = error_of(httpx.Response(answer.status_code, headers=answer.headers, content=got))
        assert (answer.status_code, broken, error["type"]) == (502, False, "gateway_error")
        return
    wanted = direct(twins, http, case)
    assert answer.headers["x-prism-provider"] == lane.attempts[-1]
    assert answer.headers["x-prism-model"] == lane.model(lane.attempts[-1])
    assert answer.headers["x-prism-attempts"] == str(len(lane.attempts))
    assert answer.headers["content-type"] == wanted.headers["content-type"]
    assert answer.status_code == wanted.status_code
    assert broken is (lane.ends is Ends.BROKEN)
    if broken:
        assert got
        assert len(got) < len(wanted.content)
        assert wanted.content.startswith(got)
    else:
        assert got == wanted.content
    if answer.status_code != 200:
        error_of(httpx.Response(answer.status_code, headers=answer.headers, content=got))


@named("openai")
def test_the_real_client_understands_it(
    gateway: Gateway, providers: SimulatedProviders, http: httpx.Client, case: Case
) -> None:
    lane = case.lane
    client = openai.OpenAI(
        base_url=gateway.base_url,
        api_key=lane.key,
        max_retries=0,
        default_headers={"x-prism-mode": chaos.MODES[case.racing]},
        http_client=http,
    )
    if lane.what == "400":
        with pytest.raises(openai.BadRequestError, match="no such parameter"):
            said(client, case)
    elif lane.what == "stream-error" and lane.stream:
        with pytest.raises(openai.APIError, match="The server had an error"):
            said(client, case)
    elif lane.what == "garbage":
        # It came whole, and is no answer: the client's own parser says so.
        with pytest.raises((openai.OpenAIError, ValueError)):
            said(client, case)
    elif lane.ends is Ends.ERROR:
        with pytest.raises(openai.InternalServerError):
            said(client, case)
    elif lane.ends is Ends.BROKEN:
        with pytest.raises((openai.APIConnectionError, httpx.RemoteProtocolError)):
            said(client, case)
    else:
        answers = lane.attempts[-1]
        assert f"[{answers}/{upstream(lane.model(answers))}]" in said(client, case)
    asked = requests_of(case, providers)
    assert sorted(request.provider for request in asked) == sorted(lane.attempts)


def answer_to(
    gateway: Gateway, http: httpx.Client, case: Case
) -> tuple[httpx.Response, bytes, bool]:
    """The answer, its body as far as it came, and whether it broke off."""
    url, got, broken = f"{gateway.base_url}/chat/completions?a=b", b"", True
    headers = {
        "authorization": f"Bearer {case.lane.key}",
        "content-type": "application/json",
        "x-prism-mode": chaos.MODES[case.racing],
    }
    asking = http.stream("POST", url, content=case.body(), headers=headers)
    with asking as answer, suppress(httpx.RemoteProtocolError):
        for piece in answer.iter_raw():
            got += piece
        broken = False
    return answer, got, broken


def said(client: openai.OpenAI, case: Case) -> str:
    """What the model said, as the OpenAI client reads it."""
    made = client.chat.completions.create(  # type: ignore[call-overload]
        model="auto",
        messages=[{"role": "user", "content": "What is the capital of France?"}],
        stream=case.lane.stream,
        user=case.name,
    )
    if not case.lane.stream:
        return made.choices[0].message.content or ""
    return "".join(chunk.choices[0].delta.content or "" for chunk in made if chunk.choices)


def requests_of(case: Case, providers: SimulatedProviders) -> list[ReceivedRequest]:
    """What all providers got for a case: its body names it near its beginning."""
    name = f'"{case.name}"'.encode()
    return [request for request in providers.requests if name in request.body[:500]]


def direct(twins: SimulatedProviders, http: httpx.Client, case: Case) -> httpx.Response:
    """What the provider that is to answer says to the request that it is to get."""
    name = case.lane.attempts[-1]
    headers = {"authorization": f"Bearer {KEYS[name]}", "content-type": "application/json"}
    url = f"{twins.url(name)}/chat/completions"
    return http.post(url, content=case.body(name), headers=headers)


def check_requests(case: Case, asked: list[ReceivedRequest]) -> None:
    """The right providers were asked, once each, and nothing is under way at one that is late."""
    # The model that policy denies is not among them. Of two that race, either may be first.
    assert sorted(request.provider for request in asked) == sorted(case.lane.attempts)
    for request in asked:
        is_right(request, case)
    if case.lane.what in ("hang", "late"):
        (late,) = [request for request in asked if request.provider == FAILS]
        until(lambda: late.cancelled, "the late attempt to be ended at its provider")


def is_right(request: ReceivedRequest, case: Case) -> None:
    """Key, path, model and every byte of the body are those for this provider."""
    headers = {name.lower(): value for name, value in request.headers}
    assert headers["authorization"] == f"Bearer {KEYS[request.provider]}"
    assert request.path == f"/{request.provider}/v1/chat/completions?a=b"
    assert request.model == upstream(case.lane.model(request.provider))
    assert request.body == case.body(request.provider)
    assert not [name for name in headers if name.startswith(("x-prism-", "x-envoy-"))]
