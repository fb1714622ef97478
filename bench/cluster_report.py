"""What ``make bench-cluster`` shows and keeps."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from cluster_documents import POLICIES, TABLES
from cluster_measuring import RATE, Result
from report import between_markers, machine

TARGETS = {
    "live_p95_s": 1.0,
    "live_2000_p95_s": 1.0,
    "failed_requests": 0.0,
    "reconcile_2000_s": 10.0,
}
"""What is to be reached, by figure: at most."""
_MOST_OTHERS = 0.2
"""Where others took a larger share of the processor, the figures are not Prism's."""
BEGIN, END = "<!-- bench-cluster: begin -->", "<!-- bench-cluster: end -->"


def lines(found: Mapping[str, float], failures: Sequence[str]) -> Iterator[str]:
    """The result for a terminal."""
    yield "Seconds from starting kubectl apply"
    yield f"  {'':34}{'p50':>8}{'p95':>8}"
    for title, name in _rows(found):
        yield f"  {title:34}{found[f'{name}_p50_s']:8.3f}{found[f'{name}_p95_s']:8.3f}"
    yield ""
    yield from _sentences(found)
    for failure, number in Counter(failures).most_common(5):
        yield f"  {number} times: {failure}"
    yield ""
    for name, shown in _targets(found):
        yield f"{name} = {shown}"


def _targets(found: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    """Figures that have a target, and whether they reach it."""
    for name, target in TARGETS.items():
        if name in found:
            reached = "reached" if found[name] <= target else "not reached"
            yield name, f"{found[name]:.3g} (target: at most {target:g}; {reached})"


def _rows(found: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    for where, name in (
        ("", "live"),
        (f" at {RATE:g} requests/s", "live_loaded"),
        (f" with {POLICIES:,} policies", "live_2000"),
    ):
        if f"{name}_changes" not in found:
            continue
        yield f"kubectl returned{where}", f"{name}_kubectl"
        yield f"live at one replica{where}", f"{name}_first"
        yield f"live at all 3{where}", name


def _sentences(found: Mapping[str, float]) -> Iterator[str]:
    if changes := int(found.get("live_loaded_changes", 0)):
        yield (
            f"{int(found['requests']):,} requests at {RATE:g}/s while a table changed {changes} "
            f"times: {int(found['failed_requests'])} failed"
        )
    yield (
        f"An operator started over {TABLES} tables and {POLICIES:,} policies: live at all replicas "
        f"after {found['reconcile_2000_live_s']:.1f} s, every status written after "
        f"{found['reconcile_2000_s']:.1f} s"
    )
    kinds = ("apiserver", "operator", "extproc", "envoy", "etcd")
    spent = (f"{kind} {found[f'reconcile_2000_{kind}_cpu_s']:.1f}" for kind in kinds)
    yield f"Processor time that this took (s, all processes of a kind): {', '.join(spent)}"
    kinds = ("kubectl", *kinds, "bench")
    spent = (f"{kind} {1000 * found[f'live_2000_{kind}_cpu_s']:.0f}" for kind in kinds)
    yield f"Processor time of one change among them (ms): {', '.join(spent)}"
    yield (
        f"Started again over the same: it has heard from all replicas after "
        f"{found['restart_2000_s']:.1f} s and writes {found['restart_2000_writes']:.0f} statuses"
    )
    for ending, what in (("", "one table"), ("_2000", f"{POLICIES:,} policies")):
        sizes = (
            f"{n} {found[f'{n}_rss_mib{ending}']:.0f}" for n in ("operator", "extproc", "envoy")
        )
        yield f"Memory with {what} (largest RSS, MiB): {', '.join(sizes)}"
    others = found["others_processor_share"]
    yield f"Other programs took {others:.0%} of the processor's time meanwhile" + (
        ": measure again on a machine of your own" if others > _MOST_OTHERS else ""
    )


def store(folder: Path, found: Mapping[str, float], result: Result) -> None:
    """Write ``bench-cluster.json`` (figure → number) and ``bench-cluster-detail.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    detail = {"machine": machine(), "figures": dict(found), **asdict(result)}
    for name, value in (("bench-cluster", dict(found)), ("bench-cluster-detail", detail)):
        (folder / f"{name}.json").write_text(json.dumps(value, indent=2) + "\n", "utf-8")


def write_docs(path: Path, found: Mapping[str, float]) -> None:
    """Put the table between the markers of a page; raises ``ValueError`` without them."""
    between_markers(path, BEGIN, END, _markdown(found))


def _markdown(found: Mapping[str, float]) -> Iterator[str]:
    where = machine()
    yield f"Made by `make bench-cluster` on {where['cores']} cores ({where['processor']}), which"
    yield "run everything: API server, etcd, two operators, three gateways, kubectl and the load."
    yield ""
    yield "| seconds from starting `kubectl apply` | p50 | p95 |"
    yield "|---|---:|---:|"
    for title, name in _rows(found):
        yield f"| {title} | {found[f'{name}_p50_s']:.2f} | {found[f'{name}_p95_s']:.2f} |"
    yield ""
    for sentence in _sentences(found):
        yield f"- {sentence}."
    for name, shown in _targets(found):
        yield f"- `{name}` = {shown}."
