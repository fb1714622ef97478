"""``prism serve``, ``bootstrap`` and ``drain``: what they take, and what they refuse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from prism.cli import main
from prism.envoy.bootstrap import MEBIBYTE, Settings, bootstrap

SOCKETS = ("--socket", "/run/p.sock", "--envoy-admin", "/run/a.sock")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "give either --config or --operator"),
        (("--config", ".", "--operator", "a:1"), "give either --config or --operator"),
        (("--operator", "a:1"), "--operator needs --operator-tls"),
        (("--operator", "a", "--operator-tls", "."), "'a' is not HOST:PORT"),
        (("--config", ".", "--operator-tls", "."), "--operator-tls needs --operator"),
        (("--config", ".", "--stored-snapshot", "x"), "--stored-snapshot needs --operator"),
        (("--config", ".", "--replica", "x"), "--replica needs --operator"),
        (("--operator", "a:1", "--operator-tls", ".", "--replica", "A b"), "'A b' is not a name"),
    ],
)
def test_serve_takes_one_source_with_what_belongs_to_it(
    arguments: tuple[str, ...], says: str
) -> None:
    result = run("serve", *SOCKETS, *arguments)
    assert result.exit_code == 2
    assert says in result.output


def test_bootstrap_prints_what_the_supervisor_would_write() -> None:
    limits = ("--max-body", "8", "--prism-timeout", "7.5")
    result = run("bootstrap", "--listen", "192.0.2.1:8080", *limits, *SOCKETS)
    assert result.exit_code == 0, result.output
    assert result.output.count('"7.5s"') == 3  # the two stages, and the one for small requests
    assert json.loads(result.output) == bootstrap(
        Settings("192.0.2.1", 8080, "/run/p.sock", "/run/a.sock", 8 * MEBIBYTE, 7500)
    )


def test_bootstrap_keeps_a_collector_s_key_to_its_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=secret")
    out = tmp_path / "envoy.json"
    assert run("bootstrap", *SOCKETS, "--out", str(out)).exit_code == 0
    assert '"secret"' in out.read_text()
    assert out.stat().st_mode & 0o777 == 0o600


def test_a_variable_that_can_t_be_used_ends_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "sometimes")
    result = run("bootstrap", *SOCKETS)
    assert result.exit_code == 1
    assert "OTEL_TRACES_SAMPLER='sometimes' is not supported" in result.output


def test_bootstrap_writes_a_file_whole(tmp_path: Path) -> None:
    out = tmp_path / "envoy.json"
    result = run("bootstrap", *SOCKETS, "--out", str(out))
    assert (result.exit_code, result.output) == (0, "")
    assert json.loads(out.read_text())["node"]["cluster"] == "prism"
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--listen", "192.0.2.1:0"), "port 0 is for prism run; name one"),
        (("--out", "/nowhere/envoy.json"), "/nowhere/envoy.json: No such file or directory"),
    ],
)
def test_bootstrap_says_what_it_cannot_do(arguments: tuple[str, ...], says: str) -> None:
    result = run("bootstrap", *SOCKETS, *arguments)
    assert result.exit_code != 0
    assert says in result.output


def test_drain_without_an_envoy_ends_at_once(tmp_path: Path) -> None:
    result = run("drain", "--envoy-admin", str(tmp_path / "a.sock"))
    assert result.exit_code == 0
    assert "Envoy did not answer" in result.output
