"""``prism providers`` as a process, and what it reads from a RoutingTable."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from prism.cli.providers import command
from prism.providers import ModelTiming, specs_from_table

TABLE = """
kind: ProjectPolicy
spec: {project: p}
---
kind: RoutingTable
spec:
  models:
    - name: fast
      provider: openai
      latency: {timeToFirstTokenMs: 120, tokensPerSecond: 90}
    - {name: slow, upstreamName: slow-2026, provider: mistral, latency: odd}
    - {name: nobody's}
    - text
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serves_until_told_to_stop(tmp_path: Path, number: signal.Signals):
    table = tmp_path / "table.yaml"
    table.write_text(TABLE)
    arguments = ["--listen", "127.0.0.1:0", "--from-table", str(table), "--provider", "extra"]
    with subprocess.Popen(
        [sys.executable, "-c", "from prism.cli import main; main()", "providers", *arguments],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            printed = _until_example(iter(process.stdout))
            origin = re.search(r"Listening on (http://127\.0\.0\.1:\d+)", printed)
            assert origin is not None
            with urllib.request.urlopen(f"{origin[1]}/mistral/v1/models") as response:  # noqa: S310
                models = json.load(response)
        finally:
            process.send_signal(number)
        assert process.wait(10) == 0
    assert [model["id"] for model in models["data"]] == ["slow-2026"]
    for shown in ("openai", "fast", "120 ms", "mistral", "slow-2026", "extra", "(any)"):
        assert shown in printed
    assert f"{origin[1]}/_control/faults/openai" in printed


def _until_example(lines: Iterator[str]) -> str:
    printed = ""
    for line in lines:
        printed += line
        if "curl" in line:
            break
    return printed


def test_a_table_gives_models_and_their_latency():
    openai, mistral = specs_from_table(TABLE, jitter=0.5)
    assert openai.name == "openai"
    assert openai.models == {"fast": ModelTiming(120, 90, 0.5)}
    assert mistral.models == {"slow-2026": ModelTiming(0, 0, 0.5)}


@pytest.mark.parametrize("text", ["", "a: [", "spec: {models: []}", "[1, 2]"])
def test_a_table_without_models_is_refused(text: str):
    with pytest.raises(ValueError, match=r"YAML|no RoutingTable"):
        specs_from_table(text)


@pytest.mark.parametrize("listen", ["9000", "127.0.0.1:x", "127.0.0.1:70000", ":1"])
def test_a_wrong_address_is_named(listen: str):
    result = CliRunner().invoke(command, ["--listen", listen])
    assert result.exit_code == 2
    assert "is not HOST:PORT" in result.output


def test_a_wrong_table_is_named(tmp_path: Path):
    table = tmp_path / "table.yaml"
    table.write_text("spec: {}")
    result = CliRunner().invoke(command, ["--from-table", str(table)])
    assert result.exit_code == 1
    assert "no RoutingTable" in result.output
