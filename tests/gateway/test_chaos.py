"""Whatever a provider does, the client gets the right answer once, whole, or a clear error.

The cases are in ``chaos.py``. Nothing is switched between them, so any of them runs alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import anthropic
import httpx
import httpx2
import openai
import pytest
import yaml

from prism.providers import FaultKind, SimulatedProviders
from prism.providers.received import ReceivedRequest

from . import chaos
from .chaos import KEYS, Case, Ends, upstream
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
                made.fault(lane.fails, lane.fault)
        yield made


@pytest.fixture(scope="module")
def twins() -> Iterator[SimulatedProviders]:
    """The same, asked by the tests themselves: they tell what the gateway's client must get."""
    with simulated(chaos.specs()) as made:
        for lane in LANES:
            if lane.fault is not None and lane.fault.kind in SAID:
                made.fault(lane.fails, lane.fault)
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
    made = Gateway(scratch / "config", scratch, chaos.ENVIRONMENT, "--prism-timeout", "60")
    yield made
    made.stop()


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    """One client for all: making one takes longer than most requests here."""
    with httpx.Client(timeout=600) as made:
        yield made


@pytest.fixture(scope="module")
def sdks(gateway: Gateway) -> Iterator[Mapping[str, Any]]:
    """One client of each kind for all cases, for the same reason."""
    unknown: Any = {"api_key": "none", "max_retries": 0, "timeout": 600}
    with (
        openai.OpenAI(base_url=gateway.base_url, **unknown) as first,
        anthropic.Anthropic(base_url=gateway.url, **unknown) as second,
    ):
        yield {"openai": first, "anthropic": second}


def named(*clients: str) -> pytest.MarkDecorator:
    chosen = [case for case in CASES if case.client in clients]
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
    check_asked(case, asked)
    for request in asked:
        is_right(request, case)
    check_cancelled(case, asked)
    lane = case.lane
    if case.ends is Ends.ERROR:
        error = error_of(httpx.Response(answer.status_code, headers=answer.headers, content=got))
        assert (answer.status_code, broken, error["type"]) == (502, False, "gateway_error")
        return
    wanted = direct(twins, http, case)
    assert answer.headers["x-prism-provider"] == case.attempts[-1]
    assert answer.headers["x-prism-model"] == lane.model(case.attempts[-1])
    assert answer.headers["x-prism-attempts"] == str(len(case.attempts))
    assert answer.headers["content-type"] == wanted.headers["content-type"]
    assert answer.status_code == wanted.status_code
    assert broken is (case.ends is Ends.BROKEN)
    if broken:
        assert got
        assert len(got) < len(wanted.content)
        assert wanted.content.startswith(got)
    else:
        assert got == wanted.content
    if answer.status_code != 200:
        error_of(httpx.Response(answer.status_code, headers=answer.headers, content=got))


@named("openai", "anthropic")
def test_the_real_client_understands_it(
    gateway: Gateway, providers: SimulatedProviders, sdks: Mapping[str, Any], case: Case
) -> None:
    lane = case.lane
    client = sdks[case.client].with_options(api_key=lane.key)
    wrong, said = wrong_for(case), SAYS[case.client]
    if wrong is not None:
        with pytest.raises(wrong[0], match=wrong[1]):
            said(client, case)
    else:
        answers = case.attempts[-1]
        assert f"[{answers}/{upstream(lane.model(answers))}]" in said(client, case)
    asked = requests_of(case, providers)
    check_asked(case, asked)
    for request in asked:
        says_the_same(request, case)
    check_cancelled(case, asked)


def says_the_same(request: ReceivedRequest, case: Case) -> None:
    """Key, path and model are those for this provider, and what was said has arrived whole."""
    headers = {name.lower(): value for name, value in request.headers}
    native = request.provider == chaos.FAILS_TOO
    key = headers["x-api-key"] if native else headers["authorization"].removeprefix("Bearer ")
    assert key == KEYS[request.provider]
    path = "messages" if native else "chat/completions"
    assert request.path == f"/{request.provider}/v1/{path}"
    assert request.model == upstream(case.lane.model(request.provider))
    assert not [name for name in headers if name.startswith(("x-prism-", "x-envoy-"))]
    asked = json.loads(request.body)
    assert bool(asked.get("stream")) is case.lane.stream
    (message,) = asked["messages"]
    content = message["content"]
    assert (content if isinstance(content, str) else content[0]["text"]) == case.text


def wrong_for(case: Case) -> tuple[tuple[type[Exception], ...], str | None] | None:
    """The error that the SDK raises, and what is said of it; ``None`` where all is well."""
    lane, sdk = case.lane, SDKS[case.client]
    if lane.what == "400":
        return (sdk.BadRequestError,), "no such parameter"
    if lane.what == "stream-error" and lane.stream:
        return (sdk.APIError,), "The server had an error"
    if case.ends is Ends.ERROR:
        return (sdk.InternalServerError,), None
    if case.ends is Ends.BROKEN:
        return (sdk.APIError, httpx.TransportError, httpx2.TransportError), None
    if lane.what == "garbage" and case.ends is Ends.PASSED_ON:
        # It came whole, and is no answer: the client's own parser says so.
        return (sdk.APIError, ValueError, AssertionError), None
    return None


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


def openai_says(client: openai.OpenAI, case: Case) -> str:
    """What the model said, as the OpenAI client reads it."""
    made: Any = client.chat.completions.create(
        model="auto",
        messages=question(case),
        stream=case.lane.stream,
        user=case.name,
        extra_headers={"x-prism-mode": chaos.MODES[case.racing]},
    )
    if not case.lane.stream:
        return made.choices[0].message.content or ""
    return "".join(chunk.choices[0].delta.content or "" for chunk in made if chunk.choices)


def anthropic_says(client: anthropic.Anthropic, case: Case) -> str:
    """What the model said, as Anthropic's client reads it."""
    asked: Any = {
        "model": "auto",
        "max_tokens": 100,
        "messages": question(case),
        "metadata": {"user_id": case.name},
        "extra_headers": {"x-prism-mode": chaos.MODES[case.racing]},
    }
    if not case.lane.stream:
        return text_of(client.messages.create(**asked))
    with client.messages.stream(**asked) as stream:
        return text_of(stream.get_final_message())


def text_of(message: Any) -> str:
    return "".join(block.text for block in message.content)


def question(case: Case) -> Any:
    return [{"role": "user", "content": case.text}]


SDKS: Mapping[str, Any] = {"openai": openai, "anthropic": anthropic}
SAYS: Mapping[str, Callable[[Any, Case], str]] = {
    "openai": openai_says,
    "anthropic": anthropic_says,
}


def requests_of(case: Case, providers: SimulatedProviders) -> list[ReceivedRequest]:
    """What all providers got for a case: its body names it near its beginning or its end."""
    name = f'"{case.name}"'.encode()
    return [r for r in providers.requests if name in r.body[:500] or name in r.body[-500:]]


def direct(twins: SimulatedProviders, http: httpx.Client, case: Case) -> httpx.Response:
    """What the provider that is to answer says to the request that it is to get."""
    name = case.attempts[-1]
    headers = {"authorization": f"Bearer {KEYS[name]}", "content-type": "application/json"}
    url = f"{twins.url(name)}/chat/completions"
    return http.post(url, content=case.body(name), headers=headers)


def check_asked(case: Case, asked: list[ReceivedRequest]) -> None:
    """The right providers were asked, once each, and not the one that policy denies."""
    names = [request.provider for request in asked]
    # In a race the other one may answer before the first has the whole request; else either
    # may be the first here.
    won = case.racing and case.ends is Ends.NEXT and names == [chaos.WELL]
    assert won or sorted(names) == sorted(case.attempts)


def check_cancelled(case: Case, asked: list[ReceivedRequest]) -> None:
    """Nothing is under way at a provider that is late."""
    if case.lane.what in ("hang", "late"):
        for late in [request for request in asked if request.provider == case.lane.fails]:
            until(lambda late=late: late.cancelled, "the late attempt to be ended at its provider")


def is_right(request: ReceivedRequest, case: Case) -> None:
    """Key, path, model and every byte of the body are those for this provider."""
    headers = {name.lower(): value for name, value in request.headers}
    assert headers["authorization"] == f"Bearer {KEYS[request.provider]}"
    assert request.path == f"/{request.provider}/v1/chat/completions?a=b"
    assert request.model == upstream(case.lane.model(request.provider))
    assert request.body == case.body(request.provider)
    assert not [name for name in headers if name.startswith(("x-prism-", "x-envoy-"))]
