"""CSV: rows with a header, in the names that exports of several products use."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from prism.prompt.chat import Chat, read_chat
from prism.prompt.document import BadBody, read
from prism.savings.export import BATCH
from prism.savings.line import of_text
from prism.savings.usage import MOST_TOKENS, MOST_USD, BadLine, LeftOut, Tokens, Usage, model_name

NAMES: Mapping[str, tuple[str, ...]] = {
    "model": ("model", "model_name", "model_id", "snapshot_id"),
    "prompt": ("prompt", "messages", "input", "text", "question"),
    "input": ("input_tokens", "prompt_tokens", "n_context_tokens_total", "tokens_in"),
    "output": ("output_tokens", "completion_tokens", "n_generated_tokens_total", "tokens_out"),
    "cached": (
        *("cached_tokens", "input_cached_tokens", "cached_input_tokens"),
        *("cache_read_input_tokens", "cache_read_tokens", "n_cached_context_tokens_total"),
    ),
    "written": (
        *("cache_creation_input_tokens", "cache_write_tokens", "input_cache_write_tokens"),
    ),
    "requests": ("requests", "num_model_requests", "num_requests", "n_requests"),
    "cost": ("cost", "cost_usd", "spend", "total_cost", "response_cost"),
    "provider": ("provider", "custom_llm_provider"),
    "status": ("status",),
    "batch": ("batch",),
}
"""What a column may be called, the first that is there counts."""
_MUST = ("model", "input", "output")
_FAILED = 400
_DIGITS = 16
"""Of a number that can be a count."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Where each value stands in a row; ``width`` is how many columns the header has."""

    places: Mapping[str, int]
    width: int

    def of(self, row: Sequence[str], name: str) -> str:
        """A value of a row, empty where there is no such column."""
        place = self.places.get(name)
        return "" if place is None else row[place].strip()


def columns_of(header: Sequence[str], named: Mapping[str, str]) -> Columns:
    """Find the columns; ``named`` are those that the user names. Raises ``BadLine``."""
    titles = [title.strip().lower() for title in header]
    places = {}
    for name, known in NAMES.items():
        wanted = (named[name].lower(),) if name in named else known
        found = next((titles.index(title) for title in wanted if title in titles), None)
        if found is not None:
            places[name] = found
        elif name in named:
            raise BadLine(f"no column {named[name]!r}; there are {', '.join(titles)}")
    if missing := [name for name in _MUST if name not in places]:
        there = ", ".join(titles)[:300]
        if not there.isprintable():
            raise BadLine("is no UTF-8 text")
        raise BadLine(
            f"no column for {', '.join(missing)}; there are {there}. "
            f"Name them: --column {missing[0]}=NAME"
        )
    return Columns(places, len(titles))


def read_row(row: Sequence[str], columns: Columns) -> Usage | LeftOut:
    """One row as a usage. Raises ``BadLine``."""
    if len(row) != columns.width:
        raise BadLine(f"{len(row)} values, the header has {columns.width}")
    status = columns.of(row, "status").lower()
    if status in ("failure", "error") or (status.isdecimal() and int(status[:4]) >= _FAILED):
        return LeftOut("a failed request")
    if columns.of(row, "batch").lower() == "true":
        return LeftOut(BATCH)
    if not any(columns.of(row, name) for name in (*_MUST, "requests")):
        # OpenAI's dashboard writes a row for each span of time, used or not.
        return LeftOut("no requests in a row")
    model = model_name(columns.of(row, "model"))
    given, output = (_count(row, columns, name) for name in ("input", "output"))
    cached, written = (_count(row, columns, name) for name in ("cached", "written"))
    if cached + written > given:
        raise BadLine("more cached tokens than tokens of input")
    requests = _count(row, columns, "requests") if columns.of(row, "requests") else 1
    if not requests:
        return LeftOut("no requests in a row")
    text, provider = columns.of(row, "prompt"), columns.of(row, "provider") or None
    tokens = Tokens(given, output, cached, written)
    return Usage(model, tokens, _chat(text), provider, requests, _cost(row, columns))


def _chat(text: str) -> Chat | None:
    if not text:
        return None
    try:
        if text.startswith('[{"'):
            messages = msgspec.Raw(text.encode())
            return read_chat(read(msgspec.json.encode({"messages": messages})))
        return of_text(text)
    except (BadBody, UnicodeEncodeError, msgspec.MsgspecError):
        raise BadLine("a prompt that can't be read") from None


def _count(row: Sequence[str], columns: Columns, name: str) -> int:
    text = columns.of(row, name)
    if not text:
        return 0
    # Spreadsheets write 12 as 12.0.
    whole = text.removesuffix(".0")
    digits = whole.isascii() and whole.isdecimal() and len(whole) <= _DIGITS
    if not digits or int(whole) > MOST_TOKENS:
        raise BadLine(f"{name}: {text[:40]!r} is no count")
    return int(whole)


def _cost(row: Sequence[str], columns: Columns) -> float | None:
    text = columns.of(row, "cost").removeprefix("$")
    if not text:
        return None
    try:
        dollars = float(text)
    except ValueError:
        dollars = math.nan
    if not 0 <= dollars <= MOST_USD:
        raise BadLine(f"cost: {text[:40]!r} is no amount of dollars")
    return dollars
