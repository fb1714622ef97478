"""``prism calibrate`` as it is called, and the table that is shipped."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from prism.cli import main
from prism.resources import has_errors, read_file, to_table
from prism.routing.catalog import MODES, TASKS

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "examples" / "models"
SOURCE = ROOT.parent / "shared" / "data" / "outcomes" / "models_2026.csv"
INPUTS = [
    *("--base", str(SHIPPED / "base.yaml"), "--models", str(SHIPPED / "measurements.csv")),
    *("--settings", str(SHIPPED / "calibration.yaml"), "--prices", str(SHIPPED / "prices.csv")),
]
BASE = """\
apiVersion: routing.prism.dev/v1alpha1
kind: RoutingTable
metadata: {name: default}
spec:
  providers: [{name: p, baseURL: "https://p.test/v1"}]
  models:
    - &m
      name: large
      provider: p
      contextLength: 8000
      price: {inputPerMillion: 9, outputPerMillion: 9}
      latency: {timeToFirstTokenMs: 100, tokensPerSecond: 50}
    - {<<: *m, name: small, price: {inputPerMillion: 1, outputPerMillion: 1}}
"""


def calibrate(*args: str) -> Result:
    return CliRunner().invoke(main, ["calibrate", *args])


def test_the_shipped_table_is_made_of_its_inputs_byte_for_byte(tmp_path: Path) -> None:
    table, origins = tmp_path / "table.yaml", tmp_path / "origins.md"
    result = calibrate(*INPUTS, "--out", str(table), "--origins", str(origins))
    assert result.exit_code == 0, result.output
    advice = 'run "make table"'
    assert table.read_bytes() == (SHIPPED / "table.yaml").read_bytes(), advice
    assert origins.read_bytes() == (ROOT / "docs/reference/shipped-table.md").read_bytes(), advice


@pytest.mark.skipif(not SOURCE.exists(), reason="the measurements are only beside our own checkout")
def test_the_measurements_are_those_that_were_handed_over() -> None:
    assert (SHIPPED / "measurements.csv").read_bytes() == SOURCE.read_bytes()


def test_the_shipped_table_is_whole() -> None:
    (resource,), problems = read_file(SHIPPED / "table.yaml")
    assert problems == []
    table = to_table(resource)
    assert (len(table.models), len(table.providers)) == (23, 8)
    for task in TASKS:
        for mode in MODES:
            names = table.cells[task, mode]
            assert len({table.models[name].provider for name in names}) == len(names) == 3
    # Anthropic asks a quarter more for what it keeps for five minutes.
    price = table.models["claude-opus-4-8"].price
    assert price.cache_write == pytest.approx(1.25 * price.input)


def test_a_page_needs_nothing_from_elsewhere(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    old = str(ROOT / "examples/demo/table.yaml")
    result = calibrate(*INPUTS, "--against", old, "--report", str(page))
    assert result.exit_code == 0, result.output
    text = page.read_text("utf-8")
    assert text.count("<svg") == len(TASKS)
    for part in ("What changes", "mistral-small-latest", "cannot be concluded", "0.4 points"):
        assert part in text
    # Namespaces are names; nothing else points outside.
    assert re.findall(r'(?:src|href)="(?!#)[^"]*"', text) == []
    assert "<script" not in text


def test_outcomes_fill_quality_and_cells(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(BASE)
    rows = [f"p{n},{model},{score},code" for n in range(40)
            for model, score in (("large", 1), ("small", int(n % 40 != 0)))]  # fmt: skip
    (tmp_path / "o.csv").write_text("\n".join(["prompt,model,score,task", *rows]))
    result = calibrate("--base", str(tmp_path / "base.yaml"), "--outcomes", str(tmp_path / "o.csv"))
    assert result.exit_code == 0, result.output
    (tmp_path / "table.yaml").write_text(result.stdout)
    (resource,), problems = read_file(tmp_path / "table.yaml")
    # One provider is worth a warning.
    assert not has_errors(problems)
    table = to_table(resource)
    assert table.cells[TASKS[1], MODES[0]][0] == "small"  # 97.5 % as good, a ninth of the price
    assert table.models["small"].price.input == 1
    assert "Nothing was measured at simple" in result.stderr


def test_prompts_without_a_task_are_classified(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(BASE)
    texts = {"a": "fix this python: prnt('hi')", "b": "who was the first person on the moon"}
    lines = [json.dumps({"id": name, "text": text}) for name, text in texts.items()]
    (tmp_path / "prompts.jsonl").write_text("\n".join(lines))
    rows = [f"{name},{model},1" for name in ("a", "b", "unknown") for model in ("large", "small")]
    (tmp_path / "o.csv").write_text("\n".join(["prompt,model,score", *rows]))
    inputs = ["--base", str(tmp_path / "base.yaml"), "--outcomes", str(tmp_path / "o.csv")]
    result = calibrate(*inputs, "--prompts", str(tmp_path / "prompts.jsonl"))
    assert result.exit_code == 0, result.output
    assert "2 outcomes left out: has no task, and no text to tell it from" in result.stderr
    said = "No model has 30 answers at code: its cells are chosen from few"
    assert f"{said} (large (1 answers), small (1 answers))" in result.stderr
    assert "Nothing was measured at reasoning" in result.stderr


def test_prices_come_from_genai_prices(tmp_path: Path) -> None:
    pytest.importorskip("genai_prices")
    prices = tmp_path / "prices.csv"
    inputs = [part for part in INPUTS if "prices" not in part]
    result = calibrate(*inputs, "--prices", str(prices), "--update-prices")
    assert result.exit_code == 0, result.output
    rows = prices.read_text("utf-8").splitlines()
    # It knows no Alibaba; a later version may know more or call a price by another day.
    assert len(rows) >= 20
    assert all("genai-prices" in row for row in rows[1:])


@pytest.mark.parametrize(
    ("args", "status", "message"),
    [
        ([], 2, "Missing option '--base'"),
        (INPUTS[:2], 2, "give one of --models, --outcomes"),
        (
            [*INPUTS, "--outcomes", INPUTS[3]],
            2,
            "give one of --models, --outcomes",
        ),
        (INPUTS[:4], 1, "needs --settings"),
        ([*INPUTS[:6], "--update-prices"], 1, "needs --prices"),
        ([*INPUTS[:6], "--prices", "absent.csv"], 2, "'absent.csv' does not exist"),
        ([*INPUTS[:6], "--against", INPUTS[3]], 1, "measurements.csv"),
        ([*INPUTS, "--out", "absent/table.yaml"], 2, "there is no folder 'absent'"),
        ([*INPUTS, "--report", "absent/page.html"], 2, "there is no folder 'absent'"),
    ],
)
def test_wrong_uses_are_told(args: list[str], status: int, message: str) -> None:
    result = calibrate(*args)
    assert result.exit_code == status
    assert message in result.output


def test_files_that_are_no_text_are_told(tmp_path: Path) -> None:
    noise = tmp_path / "noise"
    noise.write_bytes(b"model,\xa6\xff\n")
    for option in ("--models", "--prices"):
        inputs = list(INPUTS)
        inputs[inputs.index(option) + 1] = str(noise)
        result = calibrate(*inputs)
        assert result.exit_code == 1
        assert f"Error: {noise}: not UTF-8" in result.output


def test_prices_may_come_from_a_spreadsheet(tmp_path: Path) -> None:
    """Which begins its files with a byte order mark."""
    inputs, out = list(INPUTS), tmp_path / "table.yaml"
    place = inputs.index("--prices") + 1
    marked = tmp_path / "prices.csv"
    marked.write_bytes(b"\xef\xbb\xbf" + Path(inputs[place]).read_bytes())
    inputs[place] = str(marked)
    assert calibrate(*inputs, "--out", str(out)).exit_code == 0
    assert out.read_bytes() == (SHIPPED / "table.yaml").read_bytes()
