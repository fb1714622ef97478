"""Outcomes: graded answers, one a prompt and model, from CSV or Parquet."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from prism.calibrate.settings import Broken, OutcomeColumns
from prism.routing.catalog import TASKS, Task

_NEEDED = ("prompt", "model", "score")
_BATCH = 10_000
_LONGEST = 32 * 1024 * 1024
"""Characters of a value in CSV: no longer prompt passes the gateway."""
_PARQUET = b"PAR1"


@dataclass(frozen=True, slots=True)
class Outcome:
    """``score`` is 0 to 1, ``cost`` in US dollars, ``latency`` in seconds; ``None`` is what
    the file does not say."""

    prompt: str
    model: str
    score: float | None
    task: Task | None
    cost: float | None
    latency: float | None


def read_outcomes(path: Path, columns: OutcomeColumns) -> Iterator[Outcome]:
    """The outcomes of a Parquet file, known by its name or its first bytes, or of a CSV file.

    An empty score is an answer that was not graded. Raises ``Broken`` for a missing column,
    a number out of its range, an unknown task, a row of another length than the header, or a
    file that is no such file; ``ImportError`` where Parquet cannot be read.
    """
    if _is_parquet(path):
        yield from _checked(_parquet(path, columns), columns, path)
        return
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            yield from _checked(_csv(lines, columns, str(path)), columns, path)
    except UnicodeDecodeError:
        raise Broken(f"{path}: not UTF-8") from None
    except csv.Error as error:
        raise Broken(f"{path}: not CSV: {error}") from None


def _is_parquet(path: Path) -> bool:
    if path.suffix.lower() == ".parquet":
        return True
    with path.open("rb") as opened:
        return opened.read(len(_PARQUET)) == _PARQUET


def _csv(
    lines: Iterable[str], columns: OutcomeColumns, file: str
) -> Iterator[tuple[int, Mapping[str, Any]]]:
    csv.field_size_limit(_LONGEST)
    reader = csv.reader(lines)
    header = next(reader, [])
    _check_header(columns, header, file)
    for row in reader:
        # A comma in a text without quotes would move all that follows it.
        if row and len(row) != len(header):
            place = f"{file}, line {reader.line_num}"
            raise Broken(f"{place}: {len(row)} values, the header has {len(header)}")
        if row:
            yield reader.line_num, dict(zip(header, row, strict=True))


def _parquet(path: Path, columns: OutcomeColumns) -> Iterator[tuple[int, Mapping[str, Any]]]:
    from pyarrow import ArrowInvalid
    from pyarrow.parquet import ParquetFile

    try:
        file = ParquetFile(path)
    except ArrowInvalid as error:
        raise Broken(f"{path}: not Parquet: {error}") from None
    names = file.schema_arrow.names
    _check_header(columns, names, str(path))
    wanted = [name for name in _columns(columns).values() if name in names]
    number = 0
    for batch in file.iter_batches(batch_size=_BATCH, columns=wanted):
        for row in batch.to_pylist():
            number += 1
            yield number, row


def _columns(columns: OutcomeColumns) -> dict[str, str]:
    return {field.name: getattr(columns, field.name) for field in fields(Outcome)}


def _check_header(columns: OutcomeColumns, header: Iterable[str], file: str) -> None:
    known = set(header)
    if missing := [n for n in map(_columns(columns).get, _NEEDED) if n not in known]:
        raise Broken(f"{file}: no column {', '.join(map(repr, missing))}")


def _checked(
    rows: Iterable[tuple[int, Mapping[str, Any]]], columns: OutcomeColumns, path: Path
) -> Iterator[Outcome]:
    for number, row in rows:
        place = f"{path}, line {number}"
        yield Outcome(
            prompt=_name(row, columns.prompt, place),
            model=_name(row, columns.model, place),
            score=_number(row, columns.score, place, 1.0),
            task=_task(row, columns.task, place),
            cost=_number(row, columns.cost, place),
            latency=_number(row, columns.latency, place),
        )


def _name(row: Mapping[str, Any], column: str, place: str) -> str:
    value = row.get(column)
    if value is None or value == "":
        raise Broken(f"{place}: no {column}")
    return str(value)


def _number(
    row: Mapping[str, Any], column: str, place: str, most: float = math.inf
) -> float | None:
    said = row.get(column)
    if said is None or said == "":
        return None
    try:
        value = float(said)
    except (TypeError, ValueError):
        value = math.nan
    if not 0 <= value <= most or math.isinf(value):
        bounds = "from 0 up" if math.isinf(most) else f"from 0 to {most:g}"
        raise Broken(f"{place}: {column} is {said!r}, not a number {bounds}")
    return value


def _task(row: Mapping[str, Any], column: str, place: str) -> Task | None:
    said = row.get(column)
    if said is None or said == "":
        return None
    try:
        return Task(said)
    except ValueError:
        known = ", ".join(TASKS)
        raise Broken(f"{place}: {column} is {said!r}, not a task ({known})") from None
