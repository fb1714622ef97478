"""Folders of certificates, made with the operator's own authority."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from prism_operator.authority import Pair, new_authority, new_leaf

DAY = timedelta(days=1)


def authority(name: str = "ca") -> Pair:
    return new_authority(name, datetime.now(UTC), DAY)


def write(folder: Path, leaf: Pair, trusted: Sequence[Pair]) -> Path:
    """Lay a folder out as a mounted Secret of type kubernetes.io/tls is."""
    folder.mkdir(exist_ok=True)
    (folder / "tls.crt").write_bytes(leaf.certificate)
    (folder / "tls.key").write_bytes(leaf.key)
    (folder / "ca.crt").write_bytes(b"".join(pair.certificate for pair in trusted))
    return folder


def server(folder: Path, by: Pair, *names: str) -> Path:
    made = new_leaf(by, names or ("prism-operator", "localhost"), False, datetime.now(UTC), DAY)
    return write(folder, made, [by])


def client(folder: Path, by: Pair, *names: str, trusted: Sequence[Pair] = ()) -> Path:
    made = new_leaf(by, names or ("prism-extproc",), True, datetime.now(UTC), DAY)
    return write(folder, made, trusted or [by])
