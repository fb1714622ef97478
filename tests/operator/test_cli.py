"""The command line, as far as it goes without a cluster."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from prism_operator.cli import main

from . import certificates

KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {token: t}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
current-context: c
"""


@pytest.mark.parametrize("verb", ["run", "certs"])
def test_every_option_is_explained(verb: str) -> None:
    command = main.commands[verb]
    for option in command.params:
        assert isinstance(option, click.Option)
        assert option.help, option.name
    assert CliRunner().invoke(main, [verb, "--help"]).exit_code == 0


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "--tls"),
        (["--tls", "x"], "either --namespace (once or more) or --all-namespaces"),
        (["--tls", "x", "--namespace", "a", "--all-namespaces"], "either --namespace"),
        (["--tls", "x", "--all-namespaces", "--webhook-listen", ":1"], "is not HOST:PORT"),
        (["--tls", "x", "--all-namespaces", "--webhook-listen", "a:1"], "go together"),
        (["--tls", "x", "--all-namespaces", "--health", "a:65536"], "is not HOST:PORT"),
    ],
)
def test_wrong_use_is_told(args: list[str], message: str) -> None:
    result = CliRunner().invoke(main, ["run", *args])
    assert result.exit_code == 2
    assert message in result.output


def test_without_certificates_it_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(KUBECONFIG)
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    args = ["--all-namespaces", "--tls", str(tmp_path), "--health", "127.0.0.1:0"]
    result = CliRunner().invoke(main, ["run", *args])
    assert result.exit_code == 1
    assert "tls.crt: No such file" in result.output


def test_an_address_that_is_taken_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(KUBECONFIG)
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    folder = certificates.server(tmp_path / "tls", certificates.authority())
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for option in ("--health", "--listen"):
            args = ["--all-namespaces", "--tls", str(folder), "--health", "127.0.0.1:0"]
            result = CliRunner().invoke(main, ["run", *args, option, f"127.0.0.1:{port}"])
            assert result.exit_code == 1
            assert f"127.0.0.1:{port}: " in result.output


def test_certs_without_a_cluster_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    result = CliRunner().invoke(main, ["certs"])
    assert result.exit_code == 1
    assert "no way to a Kubernetes API server" in result.output
