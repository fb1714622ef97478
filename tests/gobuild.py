"""Programs that tests need and no package brings: built from Go modules, once for each state of
their sources, into the user's cache."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.kube_tools import ToolMissing, cache

_PROGRESS_S = 15.0

Say = Callable[[str], None]


@dataclass(frozen=True)
class Program:
    """A program of ``package`` in the module at ``sources``, whose go.mod names the version by
    requiring ``module``. ``flags`` are those of ``go build``; ``takes`` is how long it takes."""

    name: str
    sources: Path
    module: str
    package: str
    flags: tuple[str, ...]
    takes: str

    def version(self) -> str:
        """The version that the sources name, such as ``v1.36.3``."""
        text = (self.sources / "go.mod").read_text()
        found = re.search(rf"^\s*{re.escape(self.module)} (v\S+)", text, re.M)
        assert found, f"{self.sources}/go.mod requires no {self.module}"
        return found[1]

    def cached(self) -> Path:
        """Where the binary of these sources and this Go lies once it is built."""
        digest = hashlib.sha256()
        for name in ("main.go", "go.mod", "go.sum"):
            if (self.sources / name).exists():
                digest.update((self.sources / name).read_bytes())
        if go := shutil.which("go"):
            about = [go, "env", "GOVERSION", "GOARCH"]
            digest.update(subprocess.check_output(about, cwd=self.sources))
        name = f"{self.name}-{self.version()}-{digest.hexdigest()[:12]}"
        return cache() / name / self.name

    def build(self, say: Say) -> Path:
        """The binary, from the cache or built now: minutes, told to ``say`` as it goes.

        Raises ToolMissing where there is no Go, and where the build fails (no module proxy, say).
        """
        place = self.cached()
        if place.is_file():
            return place
        go = shutil.which("go")
        if go is None:
            raise ToolMissing(f"there is no Go to build {self.name} with; install Go 1.26 or newer")
        place.parent.mkdir(parents=True, exist_ok=True)
        with (place.parent / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # another run may be building it: then it is there
            if not place.is_file():
                self._compile(go, place, say)
        return place

    def _compile(self, go: str, place: Path, say: Say) -> None:
        say(f"Building {self.name} {self.version()} (once: {self.takes} on two cores)")
        environment = {**os.environ, "CGO_ENABLED": "0"}
        tags = [flag for flag in self.flags if flag.startswith("-tags")]
        counted = subprocess.run(
            [go, "list", "-deps", *tags, self.package],
            cwd=self.sources, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if counted.returncode:
            raise ToolMissing(f"{self.name} cannot be built: {counted.stderr[-2000:]}")
        total = len(counted.stdout.split())
        new = place.with_name(f"new-{os.getpid()}")
        process = subprocess.Popen(
            [go, "build", "-v", "-trimpath", *self.flags, "-o", str(new), self.package],
            cwd=self.sources, env=environment, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        lines, told = [], time.monotonic()
        assert process.stderr is not None
        for line in process.stderr:  # one line for each package
            lines.append(line)
            if time.monotonic() - told > _PROGRESS_S:
                told = time.monotonic()
                say(f"  {self.name}: {len(lines)} of {total} packages")
        if process.wait():
            raise ToolMissing(f"{self.name} cannot be built: {''.join(lines[-30:])}")
        new.replace(place)
        say(f"  {self.name} is built: {place}")
