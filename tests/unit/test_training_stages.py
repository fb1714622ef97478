"""``training/stages.py``: a training that was stopped goes on with what is done already."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
from functools import partial
from pathlib import Path
from stages import Stage, all_kept, done

def work(name, last):
    print("at", name, flush=True)
    if name == "b" and sys.argv[2] == "stop":
        raise SystemExit("stopped")
    return [name, last]

if __name__ == "__main__":
    stages = [Stage(name, partial(work, name, 7)) for name in "abc"]
    keep = Path(sys.argv[1])
    print(all_kept("abc", keep), done(stages, 1, keep), all_kept("abc", keep))
"""


def run(keep: Path, how: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join((str(ROOT / "training"), str(ROOT / "extproc")))
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, str(keep), how],
        capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": path},
    )  # fmt: skip


def test_a_run_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    stopped = run(tmp_path / "keep", "stop")
    assert stopped.returncode != 0
    assert "at a" in stopped.stdout
    goes_on = run(tmp_path / "keep", "go on")
    assert goes_on.returncode == 0, goes_on.stderr
    assert "a: kept from an earlier run" in goes_on.stdout
    assert "at a" not in goes_on.stdout
    assert "False [['a', 7], ['b', 7], ['c', 7]] True" in goes_on.stdout


def test_half_a_file_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.half").write_bytes(b"half")
    assert "at a" in run(tmp_path, "go on").stdout
