"""The ways that a request may take: to Prism in one message or two, to a provider at once or
through the internal listener. Nobody outside can tell them apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest

from prism.providers import SimulatedProviders

from . import config
from .running import Gateway, chat, error_of, until

QUESTION = chat("What is the capital of France?")
SPORT = {"x-prism-mode": "sport"}  # simple, sport: giant (beta), then mini (alpha)
KEY = {"authorization": f"Bearer {config.CLIENT_KEY}"}


def messages(gateway: Gateway, stage: str) -> int:
    return gateway.counter(f"http.gateway.ext_proc.{stage}.stream_msgs_sent")


def through_listener(gateway: Gateway) -> int:
    return gateway.counter("http.attempts.downstream_rq_total")


def ask(gateway: Gateway, **more: str) -> httpx.Response:
    url = f"{gateway.base_url}/chat/completions"
    return httpx.post(url, json=QUESTION, headers={**KEY, **more}, timeout=60)


def test_a_small_request_is_one_message_and_no_detour(gateway: Gateway) -> None:
    before = messages(gateway, "route-at-once"), messages(gateway, "route")
    detours = through_listener(gateway)
    answer = ask(gateway)
    assert answer.headers["x-prism-model"] == "mini"
    assert messages(gateway, "route-at-once") == before[0] + 1
    assert messages(gateway, "route") == before[1]
    assert through_listener(gateway) == detours


def test_without_a_length_it_is_two_messages(
    gateway: Gateway, http: httpx.Client, providers: SimulatedProviders
) -> None:
    before = messages(gateway, "route")
    whole = httpx.Request("POST", "http://x", json=QUESTION).content

    def pieces() -> Iterator[bytes]:
        yield whole[:5]
        yield whole[5:]

    typed = {"content-type": "application/json"}
    answer = http.post("/chat/completions", content=pieces(), headers=typed)
    assert answer.status_code == 200, answer.text
    assert messages(gateway, "route") == before + 2
    chunked, plain = providers.requests[0], None
    ask(gateway)
    plain = providers.requests[1]
    assert chunked.body == plain.body
    unlike = {"x-request-id", "user-agent", "content-type"}
    assert {n for n, _ in chunked.headers} - unlike == {n for n, _ in plain.headers} - unlike


def test_a_header_that_is_no_utf8_is_refused(gateway: Gateway) -> None:
    answer = httpx.post(
        f"{gateway.base_url}/chat/completions",
        json=QUESTION,
        headers={**KEY, "x-prism-mode": b"\xff\xfe"},  # type: ignore[dict-item]
    )
    assert answer.status_code == 400
    assert error_of(answer)["code"] == "invalid_header"


@pytest.mark.parametrize("key", ["wrong", "wr\xf6ng"])
def test_a_wrong_key_gets_401_whatever_the_way(gateway: Gateway, key: str) -> None:
    for size in (10, 2_000_000):
        body = chat("x" * size)
        url = f"{gateway.base_url}/chat/completions"
        answer = httpx.post(url, json=body, headers={"authorization": f"Bearer {key}".encode()})
        assert answer.status_code in (400, 401)
        assert error_of(answer)["code"] in ("invalid_api_key", "invalid_header")


def test_a_project_header_is_read_from_small_requests(
    own_gateway: Callable[..., Gateway],
) -> None:
    gateway = own_gateway(identity={"trustedProjectHeader": "x-team"})
    url = f"{gateway.base_url}/chat/completions"
    answer = httpx.post(url, json=QUESTION, headers={"x-team": "forced"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-prism-model"] == "euro"
    assert messages(gateway, "route-at-once") == 0


@pytest.mark.parametrize("when", ["at the start", "later"])
def test_a_provider_whose_name_does_not_resolve_is_passed_over(
    own_gateway: Callable[..., Gateway], providers: SimulatedProviders, when: str
) -> None:
    urls = {name: providers.url(name) for name in config.PROVIDERS}
    urls["beta"] = "http://nowhere.invalid/beta/v1"
    broken = config.table(urls)
    if when == "at the start":
        gateway = own_gateway(providers=broken["spec"]["providers"])
    else:
        gateway = own_gateway()
        before = gateway.status()["planVersion"]
        config.write(gateway.config, broken, config.policies())
        until(lambda: gateway.status()["planVersion"] != before, "the change to be live")
    answer = ask(gateway, **SPORT)
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-prism-model"] == "mini"
    assert answer.headers["x-prism-attempts"] == "2"


def test_a_provider_by_name_is_reached_at_once_when_it_has_resolved(
    own_gateway: Callable[..., Gateway], providers: SimulatedProviders
) -> None:
    urls = {n: providers.url(n).replace("127.0.0.1", "localhost") for n in config.PROVIDERS}
    gateway = own_gateway(providers=config.table(urls)["spec"]["providers"])

    def straight() -> bool:
        before = through_listener(gateway)
        assert ask(gateway).status_code == 200
        return through_listener(gateway) == before

    until(straight, "an attempt without the detour")
    gateway.kill("envoy")
    # Its successor has resolved nothing yet; nothing is lost by that.
    until(gateway.ready, "the gateway to be back")
    until(lambda: "envoy" in gateway.children(), "a new Envoy")
    until(straight, "an attempt without the detour, at the new Envoy")
