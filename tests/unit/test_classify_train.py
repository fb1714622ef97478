"""``prism train``: a team's labels change what the model says, and bad labels are named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from prism.classify import SHIPPED, Classifier
from prism.cli import main

PROMPTS = Path(__file__).parents[1] / "data" / "classifier" / "prompts.jsonl"
# A team that sees it otherwise: what we call simple is complex to it, and the reverse.
OTHERWISE = {"simple": "complex", "complex": "simple", "code": "code", "reasoning": "reasoning"}


def train(tmp_path: Path, lines: list[dict[str, str]] | bytes, *args: str) -> Result:
    labels = tmp_path / "mine.jsonl"
    if isinstance(lines, list):
        lines = "\n".join(map(json.dumps, lines)).encode()
    labels.write_bytes(lines)
    out = str(tmp_path / "mine.onnx")
    return CliRunner().invoke(main, ["train", "--labels", str(labels), "--out", out, *args])


def prompts() -> list[dict[str, str]]:
    return [json.loads(line) for line in PROMPTS.read_text("utf-8").splitlines()]


def test_a_model_learns_a_teams_labels(tmp_path: Path) -> None:
    rows = [{"text": row["text"], "task": OTHERWISE[row["task"]]} for row in prompts()]
    result = train(tmp_path, rows)
    assert result.exit_code == 0, result.output
    table = {line.rsplit(None, 2)[0]: line.split()[-2:] for line in result.stdout.splitlines()}
    before, after = map(float, table["right"])
    assert before < 0.6
    assert after > before + 0.2
    fitted = Classifier(tmp_path / "mine.onnx")
    said = fitted.classify_batch([row["text"] for row in rows])
    right = sum(found.task == row["task"] for found, row in zip(said, rows, strict=True))
    assert right > 0.8 * len(rows)
    assert f"abstainBelow): {fitted.abstain_below:.2f}" in result.stdout


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"text": "hi", "task": "easy"}', "line 1: 'easy' is not a valid Task"),
        (b'{"text": "hi"}', "line 1: None is not a valid Task"),
        (b'{"task": "code"}', "line 1: has neither 'text' nor 'messages'"),
        (b"{", "line 1: not JSON"),
        (b'{"text": "hi", "task": "simple"}', "every task needs 10 prompts or more; simple has 1"),
    ],
)
def test_labels_that_cannot_be_used_are_named(tmp_path: Path, line: bytes, reason: str) -> None:
    result = train(tmp_path, line)
    assert result.exit_code == 1
    assert reason in result.stderr
    assert not (tmp_path / "mine.onnx").exists()


def test_a_model_that_cannot_be_fitted_is_refused(tmp_path: Path) -> None:
    base = tmp_path / "base.onnx"
    base.write_bytes(SHIPPED.read_bytes().replace(b"last.weights", b"lost.weights"))
    result = train(tmp_path, prompts(), "--model", str(base))
    assert result.exit_code == 1
    assert "has no last.weights" in result.stderr
