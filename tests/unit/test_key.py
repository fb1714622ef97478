"""``prism key``: what it prints can be pasted and is the hash that the server looks up."""

from __future__ import annotations

import hashlib
import re

import pytest
import yaml
from click.testing import CliRunner, Result

from prism.cli import main
from prism.resources import check, key_hash


def key(*args: str, stdin: str | bytes = "") -> Result:
    return CliRunner().invoke(main, ["key", *args], input=stdin)


@pytest.mark.parametrize("name", [None, "ci", "no", "1e3", "2024-01-01"])
def test_a_new_key_and_its_entry(name: str | None) -> None:
    result = key("new", "--project", "search", *(["--name", name] if name else []))
    assert result.exit_code == 0
    made, line = result.stdout.splitlines()
    assert re.fullmatch(r"prism-[A-Za-z0-9_-]{43}", made)
    (entry,) = yaml.safe_load(line)
    assert entry == {"sha256": hashlib.sha256(made.encode()).hexdigest()} | (
        {"name": name} if name else {}
    )
    assert "spec.apiKeys" in result.stderr
    assert "project: search" in result.stderr
    assert made not in result.stderr
    document = {
        "apiVersion": "routing.prism.dev/v1alpha1",
        "kind": "ProjectPolicy",
        "metadata": {"name": "search"},
        "spec": {"project": "search", "apiKeys": [entry]},
    }
    assert check(document) == []


def test_every_key_is_another() -> None:
    made = {key("new", "--project", "p").stdout.splitlines()[0] for _ in range(20)}
    assert len(made) == 20


@pytest.mark.parametrize("stdin", ["prism-demo", "prism-demo\n", b"prism-demo\r\n"])
def test_the_hash_of_a_key(stdin: str | bytes) -> None:
    result = key("hash", "--name", "demo", stdin=stdin)
    assert result.exit_code == 0
    assert yaml.safe_load(result.stdout) == [{"sha256": key_hash("prism-demo"), "name": "demo"}]


@pytest.mark.parametrize("stdin", ["", "\n", "two keys\n", "a\nb\n", b"\xff\n"])
def test_what_is_not_one_key_is_wrong_use(stdin: str | bytes) -> None:
    assert key("hash", stdin=stdin).exit_code == 2


@pytest.mark.parametrize(
    "args",
    [["new"], ["new", "--project", "a b"], ["new", "--project", "a", "--name", "x" * 64], ["old"]],
)
def test_wrong_use(args: list[str]) -> None:
    result = key(*args)
    assert result.exit_code == 2
    assert "prism-" not in result.stdout


def test_the_documented_demo_keys_are_those_of_the_example() -> None:
    assert key_hash("prism-demo-frugal").startswith("ab218d51")
    assert key_hash("prism-demo-europe").startswith("5c507f83")
