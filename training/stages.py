"""Does several stages of work side by side and keeps what each gave, so that a run that was stopped
goes on where it was."""

from __future__ import annotations

import ctypes
import hashlib
import pickle
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from rows import Row


@dataclass(frozen=True, slots=True)
class Stage:
    """``name``: of its file. ``work``: what is done; needs no arguments, and can't be sent."""

    name: str
    work: Callable[[], Any]


# What is kept depends on these; cards and pictures can be changed and written anew.
_TRAIN = (
    "augment", "encoder", "graph", "head", "matrix", "network", "rows", "validate", "words",
)  # fmt: skip
_SHARED: list[tuple[Sequence[Stage], Path]] = []


def done(stages: Sequence[Stage], jobs: int, keep: Path) -> list[Any]:
    """What each stage gives, ``jobs`` at a time; ``keep`` is a folder for it."""
    keep.mkdir(parents=True, exist_ok=True)
    # Forked, so that what they work on is shared and not sent.
    _SHARED.append((stages, keep))
    with ProcessPoolExecutor(jobs, mp_context=get_context("fork")) as pool:
        found = [*pool.map(_done, range(len(stages)))]
    _SHARED.clear()
    return found


def all_kept(names: Iterable[str], keep: Path) -> bool:
    """Whether what each stage of these names gives is kept already."""
    return all(_path(keep, name).exists() for name in names)


def _path(keep: Path, name: str) -> Path:
    return keep / f"{name}.pkl"


def _done(number: int) -> Any:
    ((stages, keep),) = _SHARED
    stage, began = stages[number], time.monotonic()
    path = _path(keep, stage.name)
    if path.exists():
        print(f"  {stage.name}: kept from an earlier run", flush=True)
        return pickle.loads(path.read_bytes())  # noqa: S301 (our own, in a folder of ours)
    _hold_memory()
    found = stage.work()
    print(f"  {stage.name}: {time.monotonic() - began:.0f} s", flush=True)
    half = path.with_suffix(".half")
    half.write_bytes(pickle.dumps(found))
    half.rename(path)
    return found


def fingerprint(rows: Sequence[Row]) -> str:
    """Of the prompts and of the code that trains: what was kept of others is of no use."""
    digest = hashlib.sha256()
    for name in _TRAIN:
        digest.update(Path(__file__).with_name(f"{name}.py").read_bytes())
    for row in rows:
        digest.update(f"{row}\n".encode("utf-8", "replace"))
    return digest.hexdigest()[:12]


def _hold_memory() -> None:
    """Large arrays come and go with each step. That the C library hands their memory back each time
    takes a sixth of all time (glibc; elsewhere nothing is changed)."""
    library = ctypes.CDLL(None)
    if hasattr(library, "gnu_get_libc_version"):
        trim_threshold, top_pad, mmap_threshold = -1, -2, -3
        library.mallopt(mmap_threshold, 2**30)
        library.mallopt(trim_threshold, 2**31 - 1)
        library.mallopt(top_pad, 2**28)
