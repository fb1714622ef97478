"""Statistics: from what was measured to figures with names. No I/O.

Names read ``GATEWAY_WHAT_UNIT_cCONCURRENCY_SIZE``: ``prism_p50_ms_c1_1k``. Latencies of all
rounds count together; what a single round gave shows only in the spread of the ratios.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
HEADLINE_SIZE = "1k"
"""The size that the targets are set for."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One gateway under one load, once. ``latencies`` are in seconds.

    ``cpu_us`` is the processor time per request (microseconds) by process. ``degraded`` is
    the share of decisions without a classification, where a gateway decides.
    """

    round: int
    gateway: str
    size: str
    concurrency: int
    seconds: float
    latencies: Sequence[float]
    cpu_us: Mapping[str, float] = field(default_factory=dict)
    degraded: float | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """A gateway under a load, all rounds together.

    ``quantiles`` are ``p50``, ``p95`` and ``p99`` in ms. ``cpu_us`` is the processor time per
    request of Envoy and of the Python beside it.
    """

    quantiles: Mapping[str, float]
    rps: float
    cpu_us: Mapping[str, float]
    degraded: float | None


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value that ``share`` of the sorted values do not exceed, between two: in proportion."""
    if not ordered:
        raise ValueError("no values")
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def summed_up(slots: Sequence[Slot]) -> Cell:
    """What several slots of one gateway under one load come to."""
    ordered = sorted(value for slot in slots for value in slot.latencies)
    degraded = [slot.degraded for slot in slots if slot.degraded is not None]
    return Cell(
        {name: quantile(ordered, share) * 1000 for name, share in QUANTILES.items()},
        len(ordered) / sum(slot.seconds for slot in slots),
        _cpu_us(slots),
        statistics.fmean(degraded) if degraded else None,
    )


def _cpu_us(slots: Sequence[Slot]) -> dict[str, float]:
    """Of Envoy, and of everything else together; the mean over rounds by their requests."""
    found = {"envoy": 0.0, "python": 0.0}
    everything = sum(len(slot.latencies) for slot in slots)
    for slot in slots:
        for role, value in slot.cpu_us.items():
            part = "envoy" if role == "envoy" else "python"
            found[part] += value * len(slot.latencies) / everything
    return found


def cells(slots: Iterable[Slot]) -> dict[tuple[str, str, int], Cell]:
    """By gateway, size and concurrency, in the order of measurement."""
    groups: dict[tuple[str, str, int], list[Slot]] = {}
    for slot in slots:
        groups.setdefault((slot.gateway, slot.size, slot.concurrency), []).append(slot)
    return {key: summed_up(group) for key, group in groups.items()}


def added_ratio(p50: Mapping[str, float]) -> float:
    """How many times the do-nothing processor's addition to the median Prism's is."""
    return (p50["prism"] - p50["envoy"]) / (p50["noop"] - p50["envoy"])


def flat(slots: Sequence[Slot], rss: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Every figure by its name; ``rss`` is MiB by gateway and process."""
    found = cells(slots)
    figures = _headline(found, slots)
    for gateway, processes in rss.items():
        figures[f"{gateway}_rss_mib"] = sum(processes.values())
        figures |= {f"{gateway}_{role}_rss_mib": size for role, size in processes.items()}
    for (gateway, size, concurrency), cell in found.items():
        where = f"c{concurrency}_{size}"
        for name, value in cell.quantiles.items():
            figures[f"{gateway}_{name}_ms_{where}"] = value
        figures[f"{gateway}_rps_{where}"] = cell.rps
        for part, value in cell.cpu_us.items():
            figures[f"{gateway}_{part}_cpu_us_{where}"] = value
        if cell.degraded is not None:
            figures[f"{gateway}_degraded_share_{where}"] = cell.degraded
    return {name: round(value, 4) for name, value in figures.items()}


def _headline(
    found: Mapping[tuple[str, str, int], Cell], slots: Sequence[Slot]
) -> dict[str, float]:
    """The figures that targets and README name."""
    figures: dict[str, float] = {}
    sizes = list(dict.fromkeys(size for _, size, _ in found))
    for size in sizes:
        end = "" if size == HEADLINE_SIZE else f"_{size}"
        p50 = {g: found[g, size, 1].quantiles["p50"] for g in ("envoy", "noop", "prism")}
        figures[f"added_p50_ratio_c1{end}"] = added_ratio(p50)
        figures[f"added_p50_ms_c1{end}"] = p50["prism"] - p50["envoy"]
        figures[f"noop_added_p50_ms_c1{end}"] = p50["noop"] - p50["envoy"]
        rps = {g: found[g, size, 64].rps for g in ("noop", "prism")}
        figures[f"rps_ratio_c64{end}"] = rps["prism"] / rps["noop"]
    ratios = ratios_by_round(slots)
    figures["added_p50_ratio_c1_lowest_round"] = min(ratios)
    figures["added_p50_ratio_c1_highest_round"] = max(ratios)
    return figures


def ratios_by_round(slots: Sequence[Slot]) -> list[float]:
    """``added_p50_ratio_c1`` of each round alone: how far the machine can be trusted."""
    rounds: dict[int, dict[str, float]] = {}
    for slot in slots:
        if slot.size == HEADLINE_SIZE and slot.concurrency == 1:
            p50 = quantile(sorted(slot.latencies), 0.5)
            rounds.setdefault(slot.round, {})[slot.gateway] = p50
    return [added_ratio(p50) for p50 in rounds.values()]
