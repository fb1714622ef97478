"""List prices in a file of their own, so that a table is made of the same numbers tomorrow."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping

from prism.calibrate.measured import Listed, Origin
from prism.calibrate.settings import Broken
from prism.routing.catalog import Price

COLUMNS = ("model", "input", "output", "cached_input", "source", "date")
"""US dollars per million tokens; ``cached_input`` empty: no discount."""
WRITTEN = "cache_write"
"""A column that may be missing; empty: tokens written to the cache cost what others do."""


def read_prices(lines: Iterable[str], file: str) -> dict[str, Listed]:
    """Prices by model. Raises ``Broken`` for a missing column or a price that is none."""
    reader = csv.DictReader(lines)
    if missing := [name for name in COLUMNS if name not in (reader.fieldnames or [])]:
        raise Broken(f"{file}: no column {', '.join(map(repr, missing))}")
    found: dict[str, Listed] = {}
    for row in reader:
        place = f"{file}, line {reader.line_num}"
        prompt, answer = (_dollars(row[name], name, place) for name in ("input", "output"))
        cached = (
            _dollars(row["cached_input"], "cached_input", place) if row["cached_input"] else prompt
        )
        written = _dollars(row[WRITTEN], WRITTEN, place) if row.get(WRITTEN) else prompt
        if row["model"] in found:
            raise Broken(f"{place}: {row['model']} is here twice")
        found[row["model"]] = Listed(
            Price(prompt, answer, cached, written), Origin(row["source"], row["date"])
        )
    return found


def write_prices(prices: Mapping[str, Listed]) -> str:
    """The file that ``read_prices`` reads."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*COLUMNS[:4], WRITTEN, *COLUMNS[4:]])
    for model, listed in prices.items():
        price, origin = listed.price, listed.origin
        cached, written = (
            "" if dollars == price.input else f"{dollars:.10g}"
            for dollars in (price.cached_input, price.cache_write)
        )
        numbers = f"{price.input:.10g}", f"{price.output:.10g}", cached, written
        writer.writerow([model, *numbers, origin.source, origin.date])
    return text.getvalue()


def _dollars(text: str | None, column: str, place: str) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise Broken(f"{place}: {column} is {text!r}, not a price")
    return value
