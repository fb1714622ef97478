"""Aggregated rows, one a model: a CSV file to ``Measured``."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from prism.calibrate.measured import Listed, Measured, Origin, Sample, Speed
from prism.calibrate.settings import Broken, ModelColumns
from prism.routing.catalog import TASKS, Price


def read_model_rows(lines: Iterable[str], columns: ModelColumns, file: str) -> list[Measured]:
    """The models of the rows that ``columns.where`` keeps, in the file's order.

    An empty field is a number that was not measured. Raises ``Broken`` for a missing column,
    a number that is none, or a model named twice.
    """
    reader = csv.DictReader(lines)
    _check_header(columns, reader.fieldnames or [], file)
    found: dict[str, Measured] = {}
    for record in reader:
        row = _Row(record, f"{file}, line {reader.line_num}")
        if any(record.get(name) != value for name, value in columns.where.items()):
            continue
        model = record[columns.model]
        if not model:
            raise Broken(f"{row.place}: no name in column {columns.model!r}")
        if model in found:
            raise Broken(f"{row.place}: {model} is here twice")
        found[model] = _measured(row, columns, model)
    if not found:
        raise Broken(f"{file}: no row is left")
    return list(found.values())


@dataclass(frozen=True, slots=True)
class _Row:
    fields: Mapping[str, str]
    place: str

    def number(self, column: str) -> float | None:
        """The number in ``column``; ``None`` where the field is empty or no column is named."""
        text = (self.fields.get(column) or "").strip() if column else ""
        if not text:
            return None
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or value < 0:
            raise Broken(f"{self.place}: {column} is {text!r}, not a number from 0 up")
        return value

    def text(self, column: str) -> str:
        return (self.fields.get(column) or "").strip() if column else ""


def _check_header(columns: ModelColumns, header: Iterable[str], file: str) -> None:
    if missing := [name for name in _named(columns) if name not in set(header)]:
        raise Broken(f"{file}: no column {', '.join(map(repr, missing))}")


def _named(columns: ModelColumns) -> Iterator[str]:
    yield columns.model
    yield from columns.where
    yield from columns.quality.values()
    more = (
        columns.quality_row,
        columns.seconds,
        columns.answer_tokens,
        columns.seconds_row,
        columns.measured_cost,
        columns.input_price,
        columns.output_price,
        columns.price_source,
    )
    yield from (name for name in more if name)


def _measured(row: _Row, columns: ModelColumns, model: str) -> Measured:
    samples = {}
    for task in TASKS:
        value = row.number(columns.quality[task])
        if value is None:
            continue
        if value > columns.scale:
            raise Broken(f"{row.place}: {columns.quality[task]} is over {columns.scale:g}")
        samples[task] = Sample(value / columns.scale)
    return Measured(
        model=model,
        samples=samples,
        quality_origin=Origin(
            columns.quality_source, columns.quality_date, row.text(columns.quality_row)
        ),
        price=_price(row, columns),
        speed=_speed(row, columns),
        spent=row.number(columns.measured_cost),
    )


def _price(row: _Row, columns: ModelColumns) -> Listed | None:
    prompt, answer = row.number(columns.input_price), row.number(columns.output_price)
    if prompt is None or answer is None:
        return None
    origin = Origin(row.text(columns.price_source) or row.place, columns.price_date)
    return Listed(Price(prompt, answer, prompt, prompt), origin)


def _speed(row: _Row, columns: ModelColumns) -> Speed | None:
    seconds, tokens = row.number(columns.seconds), row.number(columns.answer_tokens)
    if not seconds or tokens is None:
        return None
    origin = Origin(columns.seconds_source, columns.seconds_date, row.text(columns.seconds_row))
    return Speed(seconds, tokens, origin)
