"""The benchmark's statistics: a wrong quantile or ratio would be a wrong claim in the README."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from prism.resources import compile_resources, has_errors, read_text

_BENCH = Path(__file__).parents[2] / "bench"


def _load(name: str) -> ModuleType:
    """A module of ``bench/``, which is a folder of scripts and no package."""
    spec = importlib.util.spec_from_file_location(f"bench_{name}", _BENCH / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


figures = _load("figures")
prompts = _load("prompts")
documents = _load("attempts_documents")
URLS = {name: f"http://127.0.0.1/{name}/v1" for part in documents.PARTS for name in part.providers}


def _slot(gateway: str, ms: list[float], number: int = 1, concurrency: int = 1, **more: object):
    latencies = [value / 1000 for value in ms]
    return figures.Slot(number, gateway, "1k", concurrency, 2.0, latencies, **more)


@pytest.mark.parametrize(
    ("share", "value"), [(0.0, 10.0), (0.5, 30.0), (1.0, 50.0), (0.25, 20.0), (0.9, 46.0)]
)
def test_a_quantile_lies_between_neighbours(share: float, value: float) -> None:
    assert figures.quantile([10.0, 20.0, 30.0, 40.0, 50.0], share) == pytest.approx(value)


def test_a_quantile_of_one_value_is_that_value() -> None:
    assert figures.quantile([7.0], 0.99) == 7.0


def test_a_quantile_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="no values"):
        figures.quantile([], 0.5)


def test_the_latencies_of_all_rounds_count_together() -> None:
    slots = [_slot("prism", [1.0, 1.0, 1.0], 1), _slot("prism", [9.0], 2)]
    cell = figures.summed_up(slots)
    assert cell.quantiles["p50"] == pytest.approx(1.0)
    assert cell.rps == pytest.approx(4 / 4.0)


def test_processor_time_is_weighed_by_requests_and_split_by_envoy_and_python() -> None:
    slots = [
        _slot("prism", [1.0] * 3, cpu_us={"envoy": 100.0, "ext_proc": 40.0, "supervisor": 0.0}),
        _slot("prism", [1.0], 2, cpu_us={"envoy": 200.0, "ext_proc": 80.0, "supervisor": 4.0}),
    ]
    cell = figures.summed_up(slots)
    assert cell.cpu_us == pytest.approx({"envoy": 125.0, "python": 51.0})


def test_the_ratios_are_of_what_is_added_to_envoy_alone() -> None:
    slots = [
        *(_slot(name, [ms]) for name, ms in (("envoy", 1.0), ("noop", 3.0), ("prism", 4.0))),
        *(
            _slot(name, [5.0] * requests, concurrency=64)
            for name, requests in (("envoy", 90), ("noop", 40), ("prism", 30))
        ),
    ]
    found = figures.flat(slots, {"prism": {"envoy": 100.0, "ext_proc": 50.5}})
    assert found["added_p50_ms_c1"] == 3.0
    assert found["noop_added_p50_ms_c1"] == 2.0
    assert found["added_p50_ratio_c1"] == 1.5
    assert found["rps_ratio_c64"] == 0.75
    assert found["prism_rps_c64_1k"] == 15.0
    assert found["prism_rss_mib"] == 150.5
    assert found["prism_ext_proc_rss_mib"] == 50.5


def test_the_spread_is_of_single_rounds() -> None:
    rounds = [
        _slot(name, [ms], number)
        for number, prism in ((1, 3.0), (2, 7.0))
        for name, ms in (("envoy", 1.0), ("noop", 2.0), ("prism", prism))
    ]
    assert figures.ratios_by_round(rounds) == pytest.approx([2.0, 6.0])


def test_every_figure_is_a_number() -> None:
    slots = [_slot(g, [1.0, 2.0], concurrency=c) for c in (1, 64) for g in ("envoy", "noop")]
    slots += [_slot("prism", [3.0], concurrency=c, degraded=0.5) for c in (1, 64)]
    slots[1] = _slot("noop", [2.5])
    found = figures.flat(slots, {})
    assert {type(value) for value in found.values()} == {float}
    assert found["prism_degraded_share_c1_1k"] == 0.5


@pytest.mark.parametrize("size", [1024, 16 * 1024])
def test_requests_have_the_size_and_no_two_the_same_last_turn(size: int) -> None:
    made = prompts.requests(size)
    assert len(made) >= 200
    bodies = {request.numbered(7).split(b"\r\n\r\n")[1] for request in made}
    assert {len(body) for body in bodies} == {size}
    assert len(bodies) == len(made)
    assert made[0].numbered(1) != made[0].numbered(2)


def test_the_two_tables_of_further_attempts_differ_in_nothing_else() -> None:
    made = list(yaml.safe_load_all(documents.documents(URLS, "http://127.0.0.1:1/v1")))
    tables = {each["metadata"]["name"]: each["spec"] for each in made if "cells" in each["spec"]}
    one, several = tables[documents.ONE_ATTEMPT], tables[documents.ATTEMPTS]
    assert (one.pop("retry"), several.pop("retry")) == ({"maxAttempts": 1}, {"maxAttempts": 3})
    assert one == several


def test_the_documents_of_attempts_can_be_used() -> None:
    resources, problems = read_text(documents.documents(URLS, "http://127.0.0.1:1/v1"), "bench")
    # One model alone is what a race is compared with: a warning.
    assert not has_errors([*problems, *compile_resources(resources)[1]])


def test_what_telemetry_adds_is_a_share_of_prism_s_own_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend(str(_BENCH))
    telemetry = importlib.import_module("telemetry")
    report = importlib.import_module("telemetry_report")
    slots = [
        replace(
            _slot(gateway, [ms], concurrency=concurrency, cpu_us={"envoy": 10.0, "ext_proc": cpu}),
            round=number,
        )
        for concurrency in report.CONCURRENCIES
        for number, told in enumerate((2.02, 2.05, 2.1))
        for gateway, ms, cpu in (("envoy", 1.0, 0.0), ("prism", 2.0, 100.0), ("told", told, 104.0))
    ]
    found = telemetry.figures_of(slots)
    assert found["telemetry_overhead"] == pytest.approx(0.05)
    assert found["telemetry_overhead_p50_c1_lower_quartile"] == pytest.approx(0.035)
    assert found["telemetry_overhead_p50_c16_upper_quartile"] == pytest.approx(0.075)
    assert found["telemetry_overhead_cpu_c16"] == pytest.approx(0.04)
    assert report.verdict(found) == "telemetry_overhead = 5.0% (target: at most 10%; reached)"
    # The page has its place for it.
    page = tmp_path / "benchmarks.md"
    page.write_text((_BENCH.parent / "docs" / "benchmarks.md").read_text("utf-8"), "utf-8")
    report.write_docs(page, found, 3)
    text = page.read_text("utf-8")
    assert "in 3 rounds." in text
    assert "| `telemetry_overhead_p50` | 0.050 | 0.050 |" in text
    assert text.count("bench-telemetry: end") == 1


def test_the_page_has_a_place_for_the_ledger_s_times(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend(str(_BENCH))
    ledger, report = importlib.import_module("ledger_pages"), importlib.import_module("report")
    found = {"decisions": 1e6, "sqlite_explain_s": 0.0004, "sqlite_sum_up_longest_s": 2.0}
    found |= {f"sqlite_{page}_{w}_s": 0.5 for page in ledger.PAGES for w in ledger.Window}
    page = tmp_path / "benchmarks.md"
    page.write_text((_BENCH.parent / "docs" / "benchmarks.md").read_text("utf-8"), "utf-8")
    report.between_markers(page, ledger.BEGIN, ledger.END, ledger.markdown(found))
    text = page.read_text("utf-8")
    assert "| Candidate, sqlite | 0.500 | 0.500 | 0.500 | 0.500 |" in text
    assert "Overview, postgresql" not in text  # only one of the two was measured


def test_the_ledger_s_benchmark_runs_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(_BENCH))
    ledger = importlib.import_module("ledger_pages")
    with ledger._address("sqlite") as address:
        figures = ledger.measured(address, 2000)
    assert len(figures) == 4 + len(ledger.PAGES) * len(ledger.Window)
    assert all(value > 0 for value in figures.values())
