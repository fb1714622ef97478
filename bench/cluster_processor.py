"""How much of the processor others took meanwhile: with much of it, figures say little."""

from __future__ import annotations

import contextlib
import resource

import psutil

_KINDS = {
    "kube-apiserver": "apiserver",
    "etcd": "etcd",
    "prism_operator": "operator",
    "-m prism": "extproc",
    "envoy": "envoy",
}
"""What a process is, by a word in its command; the first that fits counts."""


class Processor:
    """Counts from when it is made."""

    def __init__(self) -> None:
        self._busy, self._own = _busy(), _own()

    def others(self) -> float:
        """The share (0 to 1) of all busy time since then that was not the benchmark's."""
        busy, own = _busy() - self._busy, _own() - self._own
        return max(0.0, 1 - own / busy) if busy > 0 else 0.0


def seconds_by_kind() -> dict[str, float]:
    """Seconds of processor time of the processes that this one has started and that still run,
    by what they are; of ``kubectl``, which has ended each time; and of this one (``bench``)."""
    found: dict[str, float] = dict.fromkeys(_KINDS.values(), 0.0)
    found["kubectl"] = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
    found["bench"] = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            command = " ".join(process.cmdline()[:3])
            times = process.cpu_times()
            for word, kind in _KINDS.items():
                if word in command:
                    found[kind] += times.user + times.system
                    break
    return found


def _busy() -> float:
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0))


def _own() -> float:
    """Seconds of this process, of those it started, and of those that have ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    total = ended.ru_utime + ended.ru_stime
    this = psutil.Process()
    for process in (this, *this.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system
    return total
