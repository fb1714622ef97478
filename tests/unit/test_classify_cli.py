"""``prism classify``: JSON lines in, JSON lines out, bad lines named."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from prism.cli import main


def classify(*args: str, stdin: str | bytes = b"") -> Result:
    return CliRunner().invoke(main, ["classify", *args], input=stdin)


def test_lines_are_answered_in_order() -> None:
    lines = [
        {"text": "who was the first person on the moon"},
        {"messages": [{"role": "system", "content": "You write poems."},
                      {"role": "user", "content": "fix this python: prnt('hi')"}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "hello"}]}]},
    ]  # fmt: skip
    result = classify(stdin="\n".join(map(json.dumps, lines)) + "\n\n")
    assert result.exit_code == 0
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert [answer["task"] for answer in found] == ["simple", "code", "simple"]
    for answer in found:
        assert list(answer) == ["task", "confidence", "probabilities", "abstained"]
        assert list(answer["probabilities"]) == ["simple", "code", "reasoning", "complex"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "not JSON: "),
        (b"[1]", "not an object"),
        (b"{}", "has neither 'text' nor 'messages'"),
        (b'{"text": 3}', "'text' is not a string"),
        (b'{"messages": []}', "'messages' is empty"),
        (b'{"messages": [{"role": 1}]}', "messages[0].role"),
        (b'{"messages": "hi"}', "messages"),
        (b'{"text": "\xff"}', "not UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_bad_lines_are_named_and_the_others_answered(line: bytes, reason: str) -> None:
    result = classify(stdin=b'{"text": "hi"}\n' + line + b'\n{"text": "hello"}\n')
    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) == 2
    (said,) = result.stderr.splitlines()
    assert said.startswith("line 2: ")
    assert reason in said


@pytest.mark.parametrize(("threshold", "abstained"), [("0", False), ("1", True)])
def test_the_threshold_decides_who_abstains(threshold: str, abstained: bool) -> None:
    result = classify("--threshold", threshold, stdin=b'{"text": "what is a cat"}')
    assert json.loads(result.stdout)["abstained"] is abstained


def test_a_refused_model_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "other.onnx"
    path.write_bytes(b"no model")
    result = classify("--model", str(path))
    assert result.exit_code == 1
    assert "not a readable ONNX model" in result.stderr


def test_the_benchmark_prints_every_length() -> None:
    result = classify("--benchmark")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].split("  ")[-1].strip() == "with a second look"
    assert lines[1].split() == ["characters", *["p50", "ms", "mean", "ms", "p99", "ms"] * 2]
    assert [line.split()[0] for line in lines[2:]] == [
        "10", "100", "1,000", "10,000", "100,000", "1,000,000",
    ]  # fmt: skip


def test_help_and_the_package_do_not_load_onnxruntime() -> None:
    code = "import sys, prism.classify, prism.cli.classify; sys.exit('onnxruntime' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


SURE = "what year did the titanic sink"


def test_scored_against_known_tasks_by_source() -> None:
    lines = [
        {"text": SURE, "task": "simple", "source": "quiz"},
        {"messages": [{"role": "user", "content": SURE}], "task": "complex", "source": "quiz"},
        {"text": "fix this python: prnt('hi')", "task": "code"},
    ]  # fmt: skip
    result = classify("--score", "--threshold", "0", stdin="\n".join(map(json.dumps, lines)))
    assert result.exit_code == 0
    head, quiz, every, *rest = result.stdout.splitlines()
    assert head.split() == (
        ["prompts", "right", "macro-F1", "calibration", "error", "wrongly", "simple", "abstained"]
    )
    # F1: of simple 2/3, of complex 0, of code 1. One of the two that are not simple is read so.
    assert quiz.split()[:4] == ["quiz", "2", "0.500", "0.333"]
    assert quiz.split()[-2:] == ["1.000", "0.000"]
    assert every.split()[:4] == ["all", "3", "0.667", "0.556"]
    assert every.split()[-2:] == ["0.500", "0.000"]
    table = {line.split()[0]: line.split()[1:] for line in rest if line and line[0] != "W"}
    assert table["simple"] == ["1", "0", "0", "0"]
    assert table["complex"] == ["1", "0", "0", "0"]
    assert table["code"] == ["0", "1", "0", "0"]


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({}, "has no 'task' (tasks are simple, code, reasoning, complex)"),
        ({"task": "hard"}, 'task "hard" is not known'),
        ({"task": ["code"]}, 'task ["code"] is not known'),
        ({"task": "code", "source": 3}, "'source' is not a string"),
        ({"task": "code", "text": 1}, "'text' is not a string"),
    ],
)
def test_lines_that_cannot_be_scored_are_named(more: dict[str, object], reason: str) -> None:
    good = json.dumps({"text": SURE, "task": "simple"})
    bad = json.dumps({"text": SURE} | more)
    result = classify("--score", stdin=f"{good}\n{bad}\n")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[1].split()[:2] == ["all", "1"]
    (said,) = result.stderr.splitlines()
    assert said.startswith("line 2: ")
    assert reason in said


def test_nothing_to_score() -> None:
    result = classify("--score")
    assert (result.exit_code, result.stdout) == (0, "No prompt to score.\n")
