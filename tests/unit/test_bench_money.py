"""``make bench-money``: without data it says how to give some; with data it measures."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROMPTS = ROOT / "training" / "prompts.jsonl"


def run(tmp_path: Path, *args: str) -> tuple[subprocess.CompletedProcess[str], dict[str, float]]:
    out = tmp_path / "bench.json"
    command = [sys.executable, str(ROOT / "bench" / "money.py"), "--out", str(out), *args]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done, json.loads(out.read_text()) if out.exists() else {}


def test_without_data_the_shipped_tables_figures_and_a_way_to_give_it(tmp_path: Path) -> None:
    done, figures = run(tmp_path, "--data", str(tmp_path))
    assert done.returncode == 1
    assert f"No graded answers at {tmp_path / 'outcomes' / 'llmrouter_train.csv'}" in done.stderr
    assert "--data DIR" in done.stderr
    assert figures["balanced_saving_2026"] >= 0.6
    assert figures["balanced_least_quality_2026"] >= 0.98
    assert "quality_ratio_cheap" not in figures


def test_tables_are_evaluated_on_prompts_they_have_not_seen(tmp_path: Path) -> None:
    """gemma codes well here, and does nothing else; llama is right at nine of ten."""
    lines = ["prompt_id,task,label,model,score"]
    for number, line in enumerate(PROMPTS.read_text().splitlines()):
        said = json.loads(line)
        row = f"{said['id']},{said['label']},{said['label']}"
        lines.append(f"{row},llama-3.1-8b-instruct,{int(number % 10 > 0)}")
        lines.append(f"{row},gemma-2-9b-it,{int(said['label'] == 'code')}")
    outcomes = tmp_path / "o.csv"
    outcomes.write_text("\n".join(lines))
    given = ["--outcomes", str(outcomes), "--prompts", str(PROMPTS), "--splits", "1"]
    done, figures = run(tmp_path, *given)
    assert done.returncode == 0, done.stderr
    assert figures["quality_ratio_better"] > 0.95
    assert figures["cost_ratio_better"] < 0.95
    assert figures["prompts"] == len(PROMPTS.read_text().splitlines()) / 2
    # Every prompt was once left out with its kind.
    assert figures["unseen_prompts"] == len(PROMPTS.read_text().splitlines())
    # The same answers in the columns of "prism calibrate", evaluated on a file of their own.
    lines = [line.replace("prompt_id,task,label", "prompt,kind,task") for line in lines]
    test = tmp_path / "t.csv"
    test.write_text("\n".join(lines))
    done, again = run(tmp_path, *given, "--test", str(test))
    assert done.returncode == 0, done.stderr
    assert again["prompts"] == figures["unseen_prompts"]
    assert set(figures) >= {"quality_ratio_cheap", "cost_ratio_cheap", "plain_cost_ratio_cheap"}
