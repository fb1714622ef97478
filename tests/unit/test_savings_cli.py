"""``prism savings`` as it is called."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner, Result

from prism.cli import main
from prism.savings import reading

ROOT = Path(__file__).parents[2]
PROMPTS = ("Translate 'good morning' to French", "Prove that the square root of 2 is irrational")


def savings(*args: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(main, ["savings", *args], input=stdin)


def line(number: int, model: str = "gpt-5.5") -> str:
    request = {"model": model, "messages": [{"role": "user", "content": PROMPTS[number % 2]}]}
    usage = {"prompt_tokens": 1000, "completion_tokens": 100}
    return json.dumps({"request": request, "response": {"model": model, "usage": usage}})


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join([*map(line, range(20)), "nonsense", '{"a": 1}', ""]), "utf-8")
    return path


def test_a_log_is_priced_and_its_bad_lines_are_named(log: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.txt"
    result = savings(str(log), "--bad", str(bad))
    assert result.exit_code == 0, result.output
    # 20 requests of 1,000 tokens at 5 and 100 at 30 US dollars a million.
    assert "20 requests cost $0.16 at list price" in result.stdout
    assert "2 of 22 lines could not be read:" in result.stderr
    places = bad.read_text("utf-8").splitlines()
    assert [place.split(": ")[0] for place in places] == [f"{log}:21", f"{log}:22"]
    assert places[1].endswith("no model is named")


def test_a_page_needs_nothing_from_elsewhere(log: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    log.write_text(log.read_text("utf-8") + line(1, "<b>unknown</b>"), "utf-8")
    assert savings(str(log), "--report", str(page)).exit_code == 0
    text = page.read_text("utf-8")
    assert text.count("<svg") == 3
    for part in ("By task", "gpt-5.5", "What was not counted", "&lt;b&gt;unknown"):
        assert part in text
    assert re.findall(r'(?:src|href)="(?!#)[^"]*"', text) == []
    assert "<script" not in text
    assert "<b>unknown" not in text


def test_any_number_of_processes_gives_the_same_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "BLOCK_LINES", 10)
    log = tmp_path / "log.jsonl"
    log.write_text("\n".join(line(n) if n % 7 else "bad" for n in range(100)), "utf-8")
    outputs = []
    for jobs in ("1", "2"):
        result = savings(str(log), "--jobs", jobs, "--cpu-price", "0")
        assert result.exit_code == 0, result.output
        # How long the classifier took is measured, and differs.
        outputs.append(re.sub(r"\(.* ms of a core", "", result.output))
    assert outputs[0] == outputs[1]


def test_standard_input_and_several_files(log: Path, tmp_path: Path) -> None:
    other = tmp_path / "usage.csv"
    other.write_text("model,input_tokens,output_tokens,requests\ngpt-5.5,9000,90,3\n", "utf-8")
    result = savings(str(log), str(other))
    assert result.exit_code == 0, result.output
    assert "23 requests cost" in result.stdout
    assert "3 requests without a prompt" in result.stdout


def test_a_mix_is_taken_for_requests_without_a_prompt(tmp_path: Path) -> None:
    log = tmp_path / "usage.csv"
    log.write_text("model,input_tokens,output_tokens,requests\ngpt-5.5,9000,90,4\n", "utf-8")
    result = savings(str(log), "--mix", "simple=3,code=1")
    assert re.search(r"^simple +3 ", result.stdout, re.MULTILINE), result.output
    for wrong in ("simple", "other=1", "simple=0", "simple=-1"):
        assert savings(str(log), "--mix", wrong).exit_code == 2


def test_a_project_is_held_to_its_policy(log: Path) -> None:
    demo = str(ROOT / "examples" / "demo")
    result = savings(str(log), "--config", demo, "--project", "nobody")
    assert result.exit_code == 1
    assert "no policy names the project 'nobody'; there are: " in result.output
    project = result.output.split("there are: ")[1].split(",")[0].strip()
    assert savings(str(log), "--config", demo, "--project", project).exit_code == 0


def test_what_can_t_be_used_ends_with_a_word(tmp_path: Path) -> None:
    empty, nothing = tmp_path / "empty", tmp_path / "nothing.jsonl"
    empty.write_text("")
    nothing.write_text("{}\n{}")
    assert "has no lines" in savings(str(empty)).output
    result = savings(str(nothing))
    assert result.exit_code == 1
    assert "no line could be priced" in result.output
    broken = tmp_path / "table.yaml"
    broken.write_text("kind: Nonsense")
    assert savings(str(nothing), "--config", str(broken)).exit_code == 1


def test_what_can_t_be_written_is_told_before_the_log_is_read(log: Path, tmp_path: Path) -> None:
    for option in ("--report", "--bad"):
        result = savings(str(log), option, str(tmp_path / "absent" / "file"))
        assert result.exit_code == 2
        assert f"there is no folder '{tmp_path / 'absent'}'" in result.stderr
        assert "Reading" not in result.stderr
    for price in ("nan", "inf", "-1"):
        assert savings(str(log), "--cpu-price", price).exit_code == 2


def test_the_page_is_there_though_nobody_reads_the_output(log: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    command = [sys.executable, "-m", "prism", "savings", str(log), "--report", str(page)]
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert "Traceback" not in done.stderr
    assert page.read_text("utf-8").endswith("</html>")


def test_ctrl_c_leaves_no_process_behind(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "prism", "savings", "-", "--jobs", "2"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        # Three blocks begin a pool; then it waits for more.
        process.stdin.write(b"".join(line(n).encode() + b"\n" for n in range(6_500)))
        process.stdin.flush()
        own = psutil.Process(process.pid)
        while not (pool := own.children(recursive=True)):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        process.stdin.close()
        assert process.wait(120) == 1
        assert b"Aborted!" in process.stderr.read()  # type: ignore[union-attr]
    psutil.wait_procs(pool, 120)
    assert not any(child.is_running() for child in pool)


def test_list_prices_are_those_of_genai_prices(tmp_path: Path) -> None:
    pytest.importorskip("genai_prices")
    log = tmp_path / "log.jsonl"
    log.write_text(line(0, "gpt-4o-2024-08-06"), "utf-8")
    result = savings(str(log))
    assert result.exit_code == 0, result.output
    assert "gpt-4o-2024-08-06" in result.stdout
