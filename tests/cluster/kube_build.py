"""Builds kube-apiserver from its Go module (tests/kubeapi), once for each state of the sources."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from .kube_tools import ToolMissing, cache

SOURCES = Path(__file__).parents[1] / "kubeapi"
_PROGRESS_S = 15.0

Say = Callable[[str], None]


def version() -> str:
    """The version of Kubernetes that the sources name, such as ``v1.36.3``."""
    found = re.search(r"^\s*k8s\.io/kubernetes (v\S+)", (SOURCES / "go.mod").read_text(), re.M)
    assert found, f"{SOURCES}/go.mod requires no k8s.io/kubernetes"
    return found[1]


def cached() -> Path:
    """Where the binary of these sources and this Go lies once it is built."""
    digest = hashlib.sha256()
    for name in ("main.go", "go.mod", "go.sum"):
        digest.update((SOURCES / name).read_bytes())
    if go := shutil.which("go"):
        digest.update(subprocess.check_output([go, "env", "GOVERSION", "GOARCH"], cwd=SOURCES))
    name = f"kube-apiserver-{version()}-{digest.hexdigest()[:12]}"
    return cache() / name / "kube-apiserver"


def build(say: Say) -> Path:
    """The binary, from the cache or built now: minutes, told to ``say`` as it goes.

    Raises ToolMissing where there is no Go, and where the build fails (no module proxy, say).
    """
    go = shutil.which("go")
    if go is None:
        raise ToolMissing("there is no Go to build kube-apiserver with; install Go 1.26 or newer")
    place = cached()
    place.parent.mkdir(parents=True, exist_ok=True)
    with (place.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another run may be building it: then it is there
        if not place.is_file():
            _compile(go, place, say)
    return place


def _compile(go: str, place: Path, say: Say) -> None:
    say(f"Building kube-apiserver {version()} (once: about ten minutes on two cores)")
    environment = {**os.environ, "CGO_ENABLED": "0"}
    counted = subprocess.run(
        [go, "list", "-deps", "."],
        cwd=SOURCES, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if counted.returncode:
        raise ToolMissing(f"kube-apiserver cannot be built: {counted.stderr[-2000:]}")
    total = len(counted.stdout.split())
    new = place.with_name(f"new-{os.getpid()}")
    process = subprocess.Popen(
        [go, "build", "-v", "-trimpath", "-ldflags", _stamp(), "-o", str(new), "."],
        cwd=SOURCES, env=environment, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    lines, told = [], time.monotonic()
    assert process.stderr is not None
    for line in process.stderr:  # one line for each package
        lines.append(line)
        if time.monotonic() - told > _PROGRESS_S:
            told = time.monotonic()
            say(f"  kube-apiserver: {len(lines)} of {total} packages")
    if process.wait():
        raise ToolMissing(f"kube-apiserver cannot be built: {''.join(lines[-30:])}")
    new.replace(place)
    say(f"  kube-apiserver is built: {place}")


def _stamp() -> str:
    """Linker flags: no debugging symbols, and the version that the server says it is."""
    major, minor, _ = version().removeprefix("v").split(".")
    package = "k8s.io/component-base/version"
    values = {"gitVersion": version(), "gitMajor": major, "gitMinor": minor}
    return "-s -w " + " ".join(f"-X {package}.{name}={value}" for name, value in values.items())
