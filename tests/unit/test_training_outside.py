"""``training/outside.py`` finds the labelled prompts of public sets in these sets' files."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from prism.routing.catalog import TASKS

TRAINING = Path(__file__).parents[2] / "training"
# Of FastChat's vicuna_bench/question.jsonl (Apache-2.0), the first.
VICUNA = "How can I improve my time management skills?"


def outside(*arguments: str | Path) -> tuple[list[dict[str, str]], str]:
    """The lines that it writes, and what it says on standard error."""
    command = [sys.executable, TRAINING / "outside.py", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def test_labels_are_of_known_tasks_and_none_is_there_twice() -> None:
    lines = (TRAINING / "outside.jsonl").read_text(encoding="ascii").splitlines()
    said = [json.loads(line) for line in lines]
    assert max(Counter(one["sha256"] for one in said).values()) == 1
    assert {task for one in said for task in (one["task"], one.get("or", one["task"]))} == {*TASKS}
    assert all(one["task"] != one.get("or") for one in said)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("lines.jsonl", json.dumps({"id": 1, "turns": [VICUNA, "And then?"]}) + "\n\n"),
        ("one.json", json.dumps([{"a": {"b": [VICUNA]}}], indent=2)),
        ("blanks.jsonl", json.dumps({"prompt": f" {VICUNA}\n"})),
        ("talk.jsonl", json.dumps({"chosen": f"\n\nHuman: {VICUNA}\n\nAssistant: By planning."})),
    ],
)
def test_a_prompt_is_found_wherever_it_stands(tmp_path: Path, name: str, content: str) -> None:
    plain, packed = tmp_path / name, tmp_path / f"{name}.gz"
    plain.write_text(content, encoding="utf-8")
    packed.write_bytes(gzip.compress(content.encode()))
    wanted = [{"text": VICUNA, "task": "simple", "source": "vicuna"}]
    for path in (plain, packed):
        found, told = outside(path)
        assert found == wanted
        assert "vicuna: 79 of 80 prompts are in none of the files" in told
    # In both files, and still once.
    assert outside(plain, packed)[0] == wanted


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"a": 1}\n{"a": \n', "set.jsonl:2: neither JSON nor JSON lines"),
        (b"id,text\n1,hello\n", "set.jsonl:1: neither JSON nor JSON lines"),
        (b"\xff\xfe", "set.jsonl: not UTF-8"),
    ],
)
def test_a_file_of_another_kind_is_named(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "set.jsonl"
    path.write_bytes(content)
    found, told = outside(path)
    assert found == []
    assert reason in told
    assert "Traceback" not in told


def test_a_missing_or_broken_file_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "set.jsonl.gz"
    broken.write_bytes(b"no gzip")
    for path in (tmp_path / "none.json", broken):
        found, told = outside(path)
        assert found == []
        assert str(path) in told
        assert "Traceback" not in told
