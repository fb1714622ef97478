"""A machine without an API server to be had: what is not run is said, and CI fails."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
NOT_HERE = ("KUBEBUILDER_ASSETS", "PRISM_TEST_KUBECONFIG", "PRISM_REQUIRE_CLUSTER")


def run(tmp_path: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Tests that need an API server, with no Go, no npm and nothing built before."""
    empty = {"PATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    kept = {name: value for name, value in os.environ.items() if name not in NOT_HERE}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    tests = ("tests/cluster/test_kube.py", "tests/cluster/test_chart_lint.py")
    return subprocess.run(
        [*command, *tests],
        cwd=ROOT,
        env={**kept, **empty, **more},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_last_lines_say_what_was_not_run_and_how_to_run_it(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.returncode == 0, done.stdout
    _, _, last = done.stdout.rpartition("NOT RUN")
    assert "there is no Go to build kube-apiserver with" in last
    assert "install helm 3 or npm" in last
    skipped = re.search(r"(\d+) skipped", last)
    assert skipped is not None
    assert f"So {skipped[1]} tests of the chart or on a real Kubernetes API server" in last
    assert "make test-cluster" in last


def test_in_ci_that_is_a_failure(tmp_path: Path) -> None:
    done = run(tmp_path, PRISM_REQUIRE_CLUSTER="1")
    assert done.returncode == 1
    assert "there is no Go to build kube-apiserver with" in done.stdout
