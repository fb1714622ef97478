"""The command line as a newcomer uses it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import openai
import pytest
import yaml

from prism.cli import VERBS

from . import config
from .running import PATIENCE_S, until

DEMO_KEYS = (
    "OPENAI_API_KEY",
    "ANTHROPIC_API_KEY",
    "GEMINI_API_KEY",
    "DEEPSEEK_API_KEY",
    "MISTRAL_API_KEY",
)


def prism(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "prism", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)


def test_help_names_every_verb() -> None:
    shown = prism("--help").stdout
    assert all(re.search(rf"^  {verb} ", shown, re.MULTILINE) for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb: str) -> None:
    answer = prism(verb, "--help")
    assert answer.returncode == 0
    assert answer.stdout.startswith("Usage: ")
    assert len(answer.stdout.splitlines()) > 5
    assert "None" not in answer.stdout  # a bound that there is not
    assert not re.search(r"^  .*[.]{3}$", answer.stdout, re.MULTILINE)  # a sentence cut off


def test_a_broken_folder_is_refused_before_anything_starts(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.mkdir()
    (config / "table.yaml").write_text("apiVersion: routing.prism.dev/v1alpha1\nkind: Routing\n")
    answer = prism("run", "--config", str(config), "--state", str(tmp_path / "state"))
    assert answer.returncode == 1
    assert "table.yaml:2" in answer.stderr
    assert "RoutingTable" in answer.stderr


def test_authorities_that_are_not_there_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write(tmp_path, config.table(dict.fromkeys(config.PROVIDERS, "https://x.example")), [])
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    answer = prism("run", "--config", str(tmp_path), "--state", str(tmp_path / "state"))
    assert answer.returncode == 1
    assert answer.stderr == f"Error: SSL_CERT_FILE names {tmp_path / 'ca.pem'}, which is no file\n"


def test_a_taken_port_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        answer = prism("demo", "--listen", address)
    assert answer.returncode == 1
    assert f"can't listen on {address}" in answer.stderr


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    with _demonstration(tmp_path) as started:
        yield started


@contextmanager
def _demonstration(
    folder: Path, *options: str, keys: Mapping[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """``keys`` of providers in the environment, and no others."""
    output = folder / "demo.log"
    environment = {name: value for name, value in os.environ.items() if name not in DEMO_KEYS}
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "prism", "demo", "--listen", "127.0.0.1:0", *options],
            env={**environment, **(keys or {}), "PYTHONUNBUFFERED": "1"},
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process, output
    finally:
        process.kill()
        process.wait()


def test_the_demo_answers_what_it_prints_and_ends_cleanly(
    demo: tuple[subprocess.Popen[bytes], Path],
) -> None:
    process, output = demo
    until(lambda: "Ctrl-C ends everything." in output.read_text(), "the demo to be up")
    shown = output.read_text()
    assert "real" not in re.findall(r"^  \w+ +(real|simulated) ", shown, re.MULTILINE)
    # The curl line, run by a shell as it is pasted.
    curl = shown[shown.index("curl -si") : shown.index("With the OpenAI SDK")]
    answer = subprocess.run(
        ["/bin/sh", "-c", curl], capture_output=True, text=True, timeout=PATIENCE_S, check=True
    ).stdout
    assert answer.startswith("HTTP/1.1 200 OK")
    assert "x-prism-task-type: simple" in answer
    # The snippet, run by Python as it is pasted.
    start = shown.index("  from openai import")
    snippet = shown[start : shown.index("Ctrl-C ends")].replace("\n  ", "\n").strip()
    ran = subprocess.run(
        [sys.executable, "-c", snippet],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "You said: Write a binary search in Rust." in ran.stdout
    # The address of the decisions.
    decisions = re.search(r"http://\S+/decisions", shown)
    assert decisions is not None
    assert httpx.get(decisions[0]).json()[0]["decision"]["mode"] == "eco"
    # That of the console.
    console = re.search(r"console +(http://\S+)", shown)
    assert console is not None
    assert "<h1>Overview</h1>" in httpx.get(console[1]).text
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE_S) == 0
    assert output.read_text().rstrip().endswith("All ended.")


def test_the_demo_uses_the_providers_whose_keys_there_are(tmp_path: Path) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "MISTRAL_API_KEY").write_text("sk-of-a-file")
    keys = {"OPENAI_API_KEY": "sk-of-the-environment"}
    started = _demonstration(tmp_path, "--credentials", str(credentials), keys=keys)
    with started as (process, output):
        until(lambda: "Ctrl-C ends everything." in output.read_text(), "the demo to be up")
        shown = output.read_text()
        kinds = dict(re.findall(r"^  (\w+) +(real|simulated) +", shown, re.MULTILINE))
        assert kinds.pop("openai") == kinds.pop("mistral") == "real"
        assert set(kinds.values()) == {"simulated"}
        rows = re.findall(r"^(  \w+ +(?:real|simulated) +)\S", shown, re.MULTILINE)
        assert len({len(row) for row in rows}) == 1, rows  # what follows is in one column
        folder = re.search(r"config +(\S+)", shown)
        assert folder is not None
        table = yaml.safe_load((Path(folder[1]) / "table.yaml").read_text())
        urls = {provider["name"]: provider["baseURL"] for provider in table["spec"]["providers"]}
        assert urls["openai"] == "https://api.openai.com/v1"
        assert urls["mistral"] == "https://api.mistral.ai/v1"
        assert all(urls[name].startswith("http://127.0.0.1:") for name in kinds)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 0
    assert "sk-of-" not in output.read_text()


def test_a_change_of_the_demo_s_config_is_live(
    demo: tuple[subprocess.Popen[bytes], Path],
) -> None:
    _, output = demo
    until(lambda: "Ctrl-C ends everything." in output.read_text(), "the demo to be up")
    shown = output.read_text()
    config = re.search(r"config +(\S+)", shown)
    url = re.search(r"gateway +(\S+)", shown)
    assert config is not None
    assert url is not None
    policies = Path(config[1]) / "policies.yaml"
    policies.write_text(
        policies.read_text().replace("project: demo\n", "project: demo\n  pins: Denied\n")
    )
    with openai.OpenAI(base_url=url[1], api_key="prism-demo", max_retries=0) as client:
        until(lambda: [m.id for m in client.models.list()] == ["auto"], "the change to be live")
