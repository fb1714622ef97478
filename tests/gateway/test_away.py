"""Prism or Envoy killed under load: the failure mode holds, and both come back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx

from prism.providers import SimulatedProviders

from . import config
from .running import Gateway, error_of, until
from .test_reload import ask, load

SAFE = config.CELLS["complex"]["balanced"][0]
OPEN_POLICIES = [config.policies()[0]]  # none that would keep a request from the safe model


def test_closed_answers_503_and_recovers(own_gateway: Callable[..., Gateway]) -> None:
    gateway = own_gateway(failureMode="Closed")
    with load(gateway) as results:
        gateway.kill("prism")
        until(lambda: any(_status(r) == 503 for r in results), "503 while Prism is away")
        until(lambda: ask(gateway).status_code == 200, "Prism to be back")
    assert {_status(r) for r in results} <= {200, 503}
    away = next(r for r in results if _status(r) == 503)
    assert isinstance(away, httpx.Response)
    assert error_of(away)["code"] == "router_unavailable"
    assert away.headers["retry-after"] == "1"


def test_open_goes_to_the_safe_model(
    own_gateway: Callable[..., Gateway], providers: SimulatedProviders
) -> None:
    gateway = own_gateway(failureMode="Open", policies=OPEN_POLICIES)
    with load(gateway) as results:
        gateway.kill("prism")
        until(lambda: any(_model(r) == SAFE for r in results), "the safe model to answer")
        until(lambda: ask(gateway).headers.get("x-prism-task-type"), "Prism to be back")
    assert {_status(r) for r in results} == {200}


def test_open_rewrites_only_what_must_change(
    own_gateway: Callable[..., Gateway], providers: SimulatedProviders
) -> None:
    """Envoy alone puts in name, path and key; everything else stays byte for byte."""
    gateway = own_gateway(failureMode="Open", policies=OPEN_POLICIES)
    bodies = [
        b'{"messages":[{"role":"user","content":"say \\"model\\": {"}],"model" : "auto","x":1.0}',
        b'{ "prism":{"mode":"eco"},"model":"auto","messages":[{"role":"user","content":"\\\\"}]}',
        b'{"model":"auto","metadata":{"model":"x","n":[1,{"a":"]}"}]},"messages":[{"role":"user",'
        b'"content":"a"}],"prism":{"mode":"eco"} }',
        '{"model":"auto","messages":[{"role":"user","content":"Grüße 😀"}]}'.encode(),
    ]
    name = f'"{config.upstream(SAFE)}"'.encode()
    expected = [
        bodies[0].replace(b'"auto"', name),
        b'{ "model":%s,"messages":[{"role":"user","content":"\\\\"}]}' % name,
        b'{"model":%s,"metadata":{"model":"x","n":[1,{"a":"]}"}]},"messages":[{"role":"user",'
        b'"content":"a"}] }' % name,
        bodies[3].replace(b'"auto"', name),
    ]
    for body, wanted in zip(bodies, expected, strict=True):
        _while_away(gateway, providers, body)
        request = next(r for r in providers.requests if r.model == config.upstream(SAFE))
        assert request.body == wanted
        headers = {key.lower(): value for key, value in request.headers}
        provider = config.MODELS[SAFE][0]
        assert headers["authorization"] == f"Bearer {config.KEYS[provider.upper() + '_KEY']}"
        assert request.path == f"/{provider}/v1/chat/completions"
        assert not [key for key in headers if key.startswith(("x-prism", "x-envoy"))]


def test_open_is_closed_where_a_policy_could_be_broken(
    own_gateway: Callable[..., Gateway], providers: SimulatedProviders
) -> None:
    policies = config.policies()
    policies[1]["spec"]["models"] = {"denied": [SAFE]}
    gateway = own_gateway(failureMode="Open", policies=policies)
    answers = _while_away(gateway, providers, b'{"model":"auto","messages":[]}')
    assert {answer.status_code for answer in answers} <= {400, 503}
    assert not providers.requests


def test_envoy_killed_comes_back(own_gateway: Callable[..., Gateway]) -> None:
    gateway = own_gateway()
    before = gateway.children()["envoy"]
    gateway.kill("envoy")
    until(lambda: gateway.children().get("envoy", before) != before, "a new Envoy")
    until(lambda: _reached(gateway), "the new Envoy to answer")


def test_a_stop_lets_requests_finish(
    own_gateway: Callable[..., Gateway], providers: SimulatedProviders
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from prism.providers import Fault, FaultKind

    gateway = own_gateway()
    providers.fault("alpha", Fault(kind=FaultKind.DELAY, delay_ms=1500))
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(ask, gateway)
        until(lambda: providers.requests, "the request to be at its provider")
        assert gateway.stop() == 0
        assert answer.result().status_code == 200
    assert gateway.children_gone()


def _while_away(
    gateway: Gateway, providers: SimulatedProviders, body: bytes
) -> list[httpx.Response]:
    """Send a body again and again while Prism is killed and comes back."""
    answers: list[httpx.Response] = []
    headers = {"authorization": f"Bearer {config.CLIENT_KEY}", "x-prism-mode": "eco"}

    def send() -> httpx.Response:
        url = f"{gateway.base_url}/chat/completions"
        answers.append(httpx.post(url, content=body, headers=headers, timeout=60))
        return answers[-1]

    until(gateway.ready, "Prism to be up")
    providers.reset()
    gateway.kill("prism")
    until(lambda: "x-prism-task-type" not in send().headers, "an answer without Prism")
    until(gateway.ready, "Prism to be back")
    return answers[:1] if len(answers) == 1 else answers


def _status(result: Any) -> int:
    return result.status_code if isinstance(result, httpx.Response) else 0


def _model(result: Any) -> str | None:
    return result.headers.get("x-prism-model") if isinstance(result, httpx.Response) else None


def _reached(gateway: Gateway) -> bool:
    try:
        return ask(gateway).status_code == 200
    except httpx.TransportError:
        return False
