"""The recipe for an Envoy Gateway of one's own: what its Envoy can and can't do with Prism.

Envoy runs with what Envoy Gateway 1.9 makes of the recipe's EnvoyExtensionPolicy and HTTPRoutes,
after its own golden files (internal/xds/translator/testdata/out/xds-ir/ext-proc.*): one ext_proc
filter without mutation rules or initial metadata, and ordinary routes and clusters. What the
operator side of Envoy Gateway does is not tested here.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from prism.exchange import headers
from prism.providers import Fault, FaultKind, SimulatedProviders

from . import config
from .conftest import urls
from .running import chat, free_port, until

RECIPE = Path(__file__).parents[2] / "docs" / "recipes" / "envoy-gateway.md"
TYPES = "type.googleapis.com/envoy.extensions"
OF_ROUTE_STAGE = (headers.DECISION_ID, headers.FIRST_CLUSTER)
"""What the route stage sets; the other internal headers are metadata here, and stay it."""


def routes() -> list[dict[str, Any]]:
    """One HTTPRoute rule per provider, and the rule that every request comes in by."""
    rules: list[dict[str, Any]] = [
        {
            "match": {
                "prefix": "/",
                "headers": [
                    {
                        "name": "x-prism-first-cluster",
                        "string_match": {"safe_regex": {"regex": f"prism/{provider}/.*"}},
                    }
                ],
            },
            "route": {"cluster": provider, "auto_host_rewrite": True, "timeout": "0s"},
            "request_headers_to_remove": [*headers.REQUEST, *OF_ROUTE_STAGE],
        }
        for provider in config.PROVIDERS
    ]
    undecided = {"status": 503, "body": {"inline_string": "no decision"}}
    return [*rules, {"match": {"prefix": "/v1/"}, "direct_response": undecided}]


def cluster(name: str, url: str) -> dict[str, Any]:
    """A Backend."""
    address = httpx.URL(url)
    socket = {"socket_address": {"address": address.host, "port_value": address.port}}
    endpoint = {"endpoint": {"address": socket}}
    return {
        "name": name,
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }


def extension(socket: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The filter and the cluster of the EnvoyExtensionPolicy."""
    filter_ = {
        "@type": f"{TYPES}.filters.http.ext_proc.v3.ExternalProcessor",
        "grpc_service": {"envoy_grpc": {"cluster_name": "prism"}, "timeout": "10s"},
        "message_timeout": "2s",
        "processing_mode": {
            "request_header_mode": "SEND",
            "request_body_mode": "BUFFERED",
            "response_header_mode": "SKIP",
            "request_trailer_mode": "SKIP",
            "response_trailer_mode": "SKIP",
        },
        "metadata_options": {"receiving_namespaces": {"untyped": ["prism"]}},
    }
    pipe = {"endpoint": {"address": {"pipe": {"path": str(socket)}}}}
    options = {
        "@type": f"{TYPES}.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
    prism = {
        "name": "prism",
        "load_assignment": {"cluster_name": "prism", "endpoints": [{"lb_endpoints": [pipe]}]},
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options
        },
    }
    return {"name": "envoy.filters.http.ext_proc", "typed_config": filter_}, prism


def bootstrap(socket: Path, port: int, providers: dict[str, str]) -> dict[str, Any]:
    ext_proc, prism = extension(socket)
    router = {"@type": f"{TYPES}.filters.http.router.v3.Router", "suppress_envoy_headers": True}
    manager = {
        "@type": f"{TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "http",
        "use_remote_address": True,
        "normalize_path": True,
        "http_filters": [ext_proc, {"name": "router", "typed_config": router}],
        "route_config": {"virtual_hosts": [{"name": "v", "domains": ["*"], "routes": routes()}]},
    }
    listener = {
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    clusters = [prism, *(cluster(name, url) for name, url in providers.items())]
    return {"static_resources": {"listeners": [listener], "clusters": clusters}}


@contextmanager
def process(log: Path, *command: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as out:
        running = subprocess.Popen(
            command, env={**os.environ, **environment}, stdout=out, stderr=subprocess.STDOUT
        )
        try:
            yield running
        finally:
            running.kill()  # neither keeps anything that a test would miss
            running.wait()


@pytest.fixture(scope="module")
def envoy(
    shared_providers: SimulatedProviders, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The URL of an Envoy that Envoy Gateway might run, with ``prism serve`` beside it."""
    tmp_path, providers = tmp_path_factory.mktemp("eg"), shared_providers
    folder = tmp_path / "config"
    config.write(folder, config.table(urls(providers)), config.policies())
    socket, port, admin = tmp_path / "p.sock", free_port(), free_port()
    (tmp_path / "envoy.json").write_text(json.dumps(bootstrap(socket, port, urls(providers))))
    serve = ["serve", "--config", str(folder), "--socket", str(socket)]
    serve += ["--envoy-admin", str(tmp_path / "none.sock"), "--admin", f"127.0.0.1:{admin}"]
    serve += ["--state", str(tmp_path / "state")]
    command = [str(Path(sys.executable).parent / "envoy"), "-c", str(tmp_path / "envoy.json")]

    def answers(url: str) -> bool:
        try:
            return httpx.get(url).status_code in (200, 404)
        except httpx.TransportError:
            return False

    with (
        process(tmp_path / "prism.log", sys.executable, "-m", "prism", *serve, **config.KEYS),
        process(tmp_path / "envoy.log", *command, "--disable-hot-restart", "--concurrency", "1"),
    ):
        until(lambda: answers(f"http://127.0.0.1:{admin}/healthz"), "prism serve")
        until(lambda: answers(f"http://127.0.0.1:{port}/"), "envoy")
        yield f"http://127.0.0.1:{port}/v1"


@pytest.fixture
def gateway(envoy: str, providers: SimulatedProviders) -> str:
    """The same, with nothing received yet and no faults."""
    return envoy


def ask(gateway: str, **more: Any) -> httpx.Response:
    return httpx.post(
        f"{gateway}/chat/completions",
        json=chat("Capital of France?", **more),
        headers={"Authorization": f"Bearer {config.CLIENT_KEY}"},
        timeout=60,
    )


def test_a_decision_reaches_its_provider(gateway: str, providers: SimulatedProviders) -> None:
    answer = ask(gateway, model="giant")
    assert answer.status_code == 200, answer.text
    (received,) = providers.requests
    assert received.provider == "beta"
    assert received.model == config.upstream("giant")
    left = [name for name, _ in received.headers if name.lower().startswith("x-prism")]
    assert left == []


def test_an_unknown_key_is_refused(gateway: str, providers: SimulatedProviders) -> None:
    answer = httpx.post(
        f"{gateway}/chat/completions",
        json=chat("hello"),
        headers={"Authorization": "Bearer nobody"},
    )
    assert answer.status_code == 401
    assert providers.requests == []


def test_an_answer_may_take_longer_than_the_stream_of_the_filter(
    gateway: str, providers: SimulatedProviders
) -> None:
    providers.fault("beta", Fault(kind=FaultKind.DELAY, delay_ms=12_000))
    assert ask(gateway, model="giant").status_code == 200


def test_there_is_no_failover(gateway: str, providers: SimulatedProviders) -> None:
    providers.fault("beta", Fault(kind=FaultKind.STATUS, times=1))
    assert ask(gateway, model="giant").status_code == 503
    assert len(providers.requests) == 1


def test_a_client_cannot_choose_a_provider_past_prism(
    gateway: str, providers: SimulatedProviders
) -> None:
    answer = httpx.post(
        f"{gateway}/chat/completions",
        json=chat("hello"),
        headers={"Authorization": "Bearer nobody", "X-Prism-First-Cluster": "prism/beta/x"},
    )
    assert answer.status_code == 401
    assert providers.requests == []


def recipe() -> list[dict[str, Any]]:
    """The documents of the recipe."""
    blocks = re.findall(r"^```yaml\n(.*?)^```", RECIPE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    return [document for block in blocks for document in yaml.safe_load_all(block)]


def test_the_recipe_says_what_is_tested_here() -> None:
    documents = recipe()
    (policy,) = [d["spec"] for d in documents if d.get("kind") == "EnvoyExtensionPolicy"]
    (stage,) = policy["extProc"]
    tested, _ = extension(Path("/run/prism/prism.sock"))
    config = tested["typed_config"]
    assert stage["messageTimeout"] == config["message_timeout"]
    assert stage["failOpen"] is False
    assert stage["processingMode"] == {"request": {"body": "Buffered"}}
    (namespaces,) = config["metadata_options"]["receiving_namespaces"].values()
    assert stage["metadata"]["writableNamespaces"] == namespaces


def test_the_recipe_removes_every_header_of_prisms_own() -> None:
    documents = recipe()
    (early,) = [
        set(d["spec"]["headers"]["earlyRequestHeaders"]["remove"])
        for d in documents
        if d.get("kind") == "ClientTrafficPolicy" and "connection" in d["spec"]
    ]
    assert early == set(headers.INTERNAL)
    (route,) = [
        d for d in documents if d.get("kind") == "HTTPRoute" and len(d["spec"]["rules"]) > 1
    ]
    late = route["spec"]["rules"][0]["filters"][0]["requestHeaderModifier"]["remove"]
    assert set(late) == {*headers.REQUEST, *OF_ROUTE_STAGE}
    assert max(len(late), len(early)) <= 16  # as many as Gateway API takes
