"""Envoy's configuration: every part is one that Envoy's own types, or Envoy itself, take."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.transport_sockets.tls.v3.secret_pb2 import Secret
from envoy.extensions.transport_sockets.tls.v3.tls_pb2 import UpstreamTlsContext
from envoy.extensions.upstreams.http.v3.http_protocol_options_pb2 import HttpProtocolOptions
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryResponse
from google.protobuf.json_format import ParseError

from prism.envoy.bootstrap import Settings, bootstrap
from prism.envoy.clusters import cluster, fallback_cluster, fallback_secret
from prism.envoy.filters import AT_ONCE_ATTRIBUTES
from prism.envoy.names import HEADERS, METADATA
from prism.envoy.routes import Fallback, routes
from prism.envoy.tracing import Tracing
from prism.exchange import headers
from prism.exchange.targets import Target
from prism.wire import xds

from .stages import live

CA = "/etc/ssl/certs/ca-certificates.crt"
OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def target(base_url: str = "https://acorn.test/v1", **changes: Any) -> Target:
    return replace(live().targets["main", "tiny"], base_url=base_url, **changes)


def sent(made: Target) -> Cluster:
    return Cluster.FromString(xds.encode(xds.CLUSTER, cluster(made, CA)).body)


@pytest.mark.parametrize(
    ("url", "host", "port", "named", "kind"),
    [
        ("https://a.test/v1", "a.test", 443, "a.test", Cluster.LOGICAL_DNS),
        ("http://a.test", "a.test", 80, "a.test", Cluster.LOGICAL_DNS),
        ("http://a.test:8000/x/y", "a.test", 8000, "a.test:8000", Cluster.LOGICAL_DNS),
        ("https://1.a.test:443/v1", "1.a.test", 443, "1.a.test:443", Cluster.LOGICAL_DNS),
        ("http://127.0.0.1:9/v1", "127.0.0.1", 9, "127.0.0.1:9", Cluster.STATIC),
        ("https://10.0.0.1/v1", "10.0.0.1", 443, "10.0.0.1", Cluster.STATIC),
        ("http://[::1]:9/v1", "::1", 9, "[::1]:9", Cluster.STATIC),
        ("https://[2001:db8::1]/v1", "2001:db8::1", 443, "[2001:db8::1]", Cluster.STATIC),
        ("http://1.2.3", "1.2.3", 80, "1.2.3", Cluster.LOGICAL_DNS),
    ],
)
def test_the_address_of_a_base_url(
    url: str, host: str, port: int, named: str, kind: Cluster.DiscoveryType
) -> None:
    found = sent(target(url))
    endpoint = found.load_assignment.endpoints[0].lb_endpoints[0].endpoint
    address = endpoint.address.socket_address
    assert (address.address, address.port_value) == (host, port)
    assert endpoint.hostname == named
    assert found.type == kind
    assert found.HasField("transport_socket") == url.startswith("https:")


@pytest.mark.parametrize(
    ("url", "sni", "kind"),
    [("https://a.test:8443", "a.test", "DNS"), ("https://[::1]", "", "IP_ADDRESS")],
)
def test_the_certificate_must_be_the_hosts(url: str, sni: str, kind: str) -> None:
    context = UpstreamTlsContext()
    assert sent(target(url)).transport_socket.typed_config.Unpack(context)
    assert context.sni == sni
    checks = context.common_tls_context.validation_context
    assert checks.trusted_ca.filename == CA
    (san,) = checks.match_typed_subject_alt_names
    assert san.SanType.Name(san.san_type) == kind
    assert san.matcher.exact == (sni or "::1")


def test_a_cluster_names_its_model_and_holds_no_key() -> None:
    found = sent(target())
    labels = found.metadata.filter_metadata["prism"]
    assert dict(labels.items()) == {"model": "tiny", "provider": "acorn"}
    assert b"sk-acorn" not in found.SerializeToString()


def filters_of(made: Target) -> list[str]:
    body = xds.encode(xds.CLUSTER, fallback_cluster(made, CA)).body
    options = HttpProtocolOptions()
    found = Cluster.FromString(body)
    assert found.name == found.load_assignment.cluster_name == "prism/fallback"
    assert found.typed_extension_protocol_options[OPTIONS].Unpack(options)
    assert b"sk-acorn" not in body
    return [item.name.removeprefix("envoy.filters.http.") for item in options.http_filters]


def test_the_fallback_puts_a_key_in_only_where_there_is_one() -> None:
    assert filters_of(target())[-2:] == ["credential_injector", "upstream_codec"]
    assert "credential_injector" not in filters_of(target(keys=()))


def test_the_key_travels_as_a_secret() -> None:
    found = xds.encode(xds.SECRET, fallback_secret(target()))
    secret = Secret.FromString(found.body).generic_secret.secret
    assert found.name == "prism/fallback"
    assert secret.inline_string == "Bearer sk-acorn"


def sent_routes(fallback: Fallback, *direct: str, at_once: bool = False) -> xds.Encoded:
    return xds.encode_routes(routes(fallback, direct, at_once=at_once))


def test_the_routes_end_with_an_answer() -> None:
    closed = sent_routes(Fallback(None, "closed"))
    opened = sent_routes(Fallback(target(), ""))
    assert closed.version != opened.version

    def names(body: bytes) -> list[str]:
        (host,) = RouteConfiguration.FromString(body).virtual_hosts
        assert host.routes[-1].direct_response.status == 503
        json.loads(host.routes[-1].direct_response.body.inline_string)
        return [route.name for route in host.routes]

    assert names(closed.body) == ["decided", "away-messages", "away"]
    assert names(opened.body) == ["decided", "fallback", "away-messages", "away"]
    small = ["fallback-small", "away-messages-small", "away-small"]
    both = sent_routes(Fallback(target(), ""), at_once=True)
    assert names(both.body) == ["decided", *small, "fallback", "away-messages", "away"]


def test_first_attempts_go_straight_to_the_clusters_named() -> None:
    closed = Fallback(None, "closed")
    some, others = sent_routes(closed, "a", "b"), sent_routes(closed, "b", "a")
    assert some == others
    assert some.version != sent_routes(closed, "a").version
    assert b"a" in some.body


@pytest.mark.parametrize("direct", [(), ("prism/a", "prism/b")])
def test_routes_keep_every_field_though_two_libraries_encode_them(direct: tuple[str, ...]) -> None:
    wanted = routes(Fallback(target(), ""), direct, at_once=True)
    complete = importlib.import_module("envoy_data_plane.envoy.config.route.v3").RouteConfiguration
    sent = complete.parse(xds.encode_routes(wanted).body)
    assert sent.to_dict() == complete.parse(bytes(complete.from_dict(wanted))).to_dict()
    assert sent.virtual_hosts[0].routes[0].route.retry_policy.refresh_cluster_on_retry


def test_an_unknown_field_is_no_route() -> None:
    with pytest.raises(KeyError, match="nonsense"):
        xds.encode_routes({"name": "x", "nonsense": 1})


def test_the_script_that_applies_a_rewrite_reads_where_it_is_written() -> None:
    script = (resources.files("prism.envoy") / "apply.lua").read_text("utf-8")
    assert f'metadata:get("{METADATA}")' in script
    assert f'said["{HEADERS}"]' in script
    assert f'metadata:set("{METADATA}", "{HEADERS}", "")' in script


def test_every_header_that_the_stages_read_travels_with_a_small_body() -> None:
    carried = set(AT_ONCE_ATTRIBUTES.values())
    assert carried == {":method", ":path", *headers.READ}
    assert set(headers.REQUEST) < carried


def test_the_same_resource_has_the_same_version() -> None:
    one, two = (xds.encode(xds.CLUSTER, cluster(target(), CA)) for _ in range(2))
    assert one == two
    assert xds.encode(xds.CLUSTER, cluster(target("http://b.test"), CA)).version != one.version


def test_an_unknown_field_is_no_resource() -> None:
    with pytest.raises(ParseError, match="nonsense"):
        xds.encode(xds.CLUSTER, {"name": "x", "nonsense": 1})


def test_an_update_carries_what_changed_and_what_went() -> None:
    made = xds.encode(xds.CLUSTER, cluster(target(), CA))
    found = DeltaDiscoveryResponse.FromString(xds.update(xds.CLUSTER, "7", [made], ["old"]))
    assert (found.type_url, found.nonce) == (xds.CLUSTER, "7")
    assert list(found.removed_resources) == ["old"]
    (resource,) = found.resources
    assert (resource.name, resource.version) == (made.name, made.version)
    assert resource.resource.value == made.body
    assert resource.resource.type_url == xds.CLUSTER


def written(folder: Path, tracing: Tracing | None = None) -> dict[str, Any]:
    sockets = str(folder / "prism.sock"), str(folder / "admin.sock")
    return bootstrap(Settings("127.0.0.1", 0, *sockets, tracing=tracing))


def traced(ratio: float = 0.1, *, parent_based: bool = True, tls: bool = False) -> Tracing:
    sent = (("api-key", "x"),)
    return Tracing("127.0.0.1", 4317, tls, sent, "prism", ratio, parent_based, CA)


def test_without_a_collector_nothing_is_traced(tmp_path: Path) -> None:
    text = json.dumps(written(tmp_path))
    assert "tracing" not in text
    assert "traceparent" not in text
    assert '"prism/collector"' not in text


TRACINGS = [None, traced(), traced(1, parent_based=False), traced(tls=True)]


@pytest.mark.parametrize("tracing", TRACINGS, ids=["none", "parent", "ratio", "tls"])
def test_envoy_takes_the_bootstrap(tmp_path: Path, tracing: Tracing | None) -> None:
    beside = Path(sys.executable).with_name("envoy")
    envoy = str(beside) if beside.exists() else shutil.which("envoy")
    if envoy is None:
        pytest.skip("envoy is not installed")
    path = tmp_path / "envoy.json"
    path.write_text(json.dumps(written(tmp_path, tracing)), "utf-8")
    done = subprocess.run(
        [envoy, "--mode", "validate", "--config-path", str(path), "--use-dynamic-base-id"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "deprecated" not in done.stderr.lower()


def types_in(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "@type" in value:
            yield value["@type"]
        for item in value.values():
            yield from types_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from types_in(item)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of how that package uses pydantic
def test_the_bootstrap_fits_the_data_planes_types(tmp_path: Path) -> None:
    data_plane = importlib.import_module("envoy_data_plane.envoy.config.bootstrap.v3")
    made = written(tmp_path)
    for name in set(types_in(made)):
        package, _, _ = name.removeprefix("type.googleapis.com/").rpartition(".")
        # Importing a package is what makes its types known inside an Any.
        importlib.import_module(f"envoy_data_plane.{package}")
    found = data_plane.Bootstrap().from_dict(made)
    assert [listener.name for listener in found.static_resources.listeners] == [
        "gateway",
        "attempts",
    ]
    assert found.to_dict()
