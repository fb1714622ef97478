"""``make bench-ledger``: how long the console's pages take over a ledger of a million decisions.

Thirty days of made-up traffic with a canary go into a SQLite file and into a PostgreSQL server of
the benchmark's own, every hour is summed up as the server does it, and each page is made for each
window. ``ARGS='--decisions 10000000'`` takes hours and 30 GB.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import ledger_rows
from report import between_markers, machine
from tests.console.traffic import trying
from tests.ledger.postgres import Postgres

from prism.console import pages
from prism.console.asking import Asked, Window
from prism.ledger.address import Address
from prism.ledger.finding import find
from prism.ledger.listing import newest
from prism.ledger.store import Store
from prism.ledger.stretches import sum_up
from prism.ledger.sums import Only
from prism.routing.catalog import Catalog

DATABASES = ("sqlite", "postgresql")
PAGES = MappingProxyType(
    {
        "overview": pages.overview,
        "decisions": lambda seen: pages.decisions(seen, None),
        "routing": pages.routing,
        "spend": pages.spending,
        "quality": pages.quality,
        "candidate": pages.candidate,
    }
)
"""Those that ask the ledger for more than a few rows."""
TRIES = 3
CANARY = 10
"""Percent of conversations that the candidate decides."""
BEGIN, END = "<!-- bench-ledger: begin -->", "<!-- bench-ledger: end -->"
_ROOT = Path(__file__).parents[1]


def main() -> None:
    """Write, sum up, ask, show and store."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--decisions", type=int, default=1_000_000)
    parser.add_argument("--only", choices=DATABASES, help="one of the two databases")
    parser.add_argument("--output", type=Path, default=Path("build/bench"))
    parser.add_argument("--write-docs", action="store_true", help="put it into docs/benchmarks.md")
    arguments = parser.parse_args()
    found: dict[str, float] = {"decisions": arguments.decisions}
    for name in DATABASES if arguments.only is None else (arguments.only,):
        with _address(name) as address:
            for figure, value in measured(address, arguments.decisions).items():
                found[f"{name}_{figure}"] = round(value, 5)
                print(f"{name}_{figure:32} {value:10.4f}", flush=True)
    arguments.output.mkdir(parents=True, exist_ok=True)
    for suffix, value in (("", found), ("-detail", {"machine": machine(), "figures": found})):
        path = arguments.output / f"bench-ledger{suffix}.json"
        path.write_text(json.dumps(value, indent=2) + "\n", "utf-8")
    if arguments.write_docs:
        between_markers(_ROOT / "docs" / "benchmarks.md", BEGIN, END, markdown(found))


@contextmanager
def _address(name: str) -> Iterator[Address]:
    if name == "sqlite":
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            yield Address.file(Path(folder) / "ledger.db")
        return
    server = Postgres()
    try:
        yield Address.parse(server.url)
    finally:
        server.close()


def measured(address: Address, count: int) -> dict[str, float]:
    """Seconds of each, by name; ``..._bytes`` is the size of the decisions."""
    catalog, store, now_s = trying(CANARY), Store(address), time.time()
    store.prepare()
    began = time.perf_counter()
    ledger_rows.write(store, catalog, count, now_s)
    figures = {"write_s": time.perf_counter() - began}
    began, most = time.perf_counter(), 0.0
    while True:
        one = time.perf_counter()
        with store.writing() as connection:
            if not sum_up(connection, round(now_s * 1000)):
                break
        most = max(most, time.perf_counter() - one)
    figures |= {"sum_up_s": time.perf_counter() - began, "sum_up_longest_s": most}
    figures |= _asked(store, catalog, now_s)
    store.close()
    return figures


def _asked(store: Store, catalog: Catalog, now_s: float) -> dict[str, float]:
    with store.asking(60) as connection:
        one = newest(connection, Only(), 0, 50)[-1].decision_id

    def explained() -> None:
        with store.asking(60) as connection:
            assert find(connection, one) is not None

    figures = {"explain_s": _best(explained)}
    for name, page in PAGES.items():
        for window in Window:
            seen = pages.Seen(Asked(window), now_s, store, None, (catalog, None), _STATUS)
            figures[f"{name}_{window}_s"] = _best(lambda page=page, seen=seen: page(seen))
    return figures


def _best(ask: Any) -> float:
    """The quickest of some: with the cache warm, and whatever else the machine does left out."""
    times = []
    for _ in range(TRIES):
        began = time.perf_counter()
        ask()
        times.append(time.perf_counter() - began)
    return min(times)


_STATUS: Mapping[str, Any] = MappingProxyType({"failingModels": []})


def markdown(found: Mapping[str, float]) -> Iterator[str]:
    """The table of the docs."""
    where = machine()
    yield f"Made by `make bench-ledger` on {where['cores']} cores ({where['processor']}), over"
    yield f"{found['decisions']:,.0f} decisions in 30 days; seconds until the page is made."
    yield ""
    windows = list(Window)
    yield f"| | {' | '.join(windows)} |"
    yield f"|---|{'---:|' * len(windows)}"
    for database in DATABASES:
        for name in PAGES:
            times = [found.get(f"{database}_{name}_{window}_s") for window in windows]
            if None not in times:
                cells = " | ".join(f"{value:.3f}" for value in times if value is not None)
                yield f"| {name.capitalize()}, {database} | {cells} |"
    yield ""
    for database in DATABASES:
        one, most = (found.get(f"{database}_{name}_s") for name in ("explain", "sum_up_longest"))
        if one is not None and most is not None:
            said = (
                f"one decision with its feedback {one:.4f} s; an hour is summed up in {most:.2f} s"
            )
            yield f"- {database}: {said} at most."


if __name__ == "__main__":
    main()
