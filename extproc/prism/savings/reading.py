"""Files to blocks of lines: bounded in memory, whatever is in the file.

What a file is, its name (.jsonl) or its first bytes tell: an object a line is JSON lines, an
object or array over several lines one JSON document, all else CSV with a header. gzip is
unpacked on the way.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

import msgspec

from prism.savings.rows import Columns, columns_of
from prism.savings.usage import BadLine

LONGEST = 32 * 1024 * 1024
"""Bytes of a line, or of a value in CSV: no larger request passes the gateway either."""
LARGEST_DOCUMENT = 128 * 1024 * 1024
"""Bytes of a JSON document, which can't be read piece by piece."""
BLOCK_LINES = 2_000
BLOCK_BYTES = 4 * 1024 * 1024
_BOM = b"\xef\xbb\xbf"
_NOT_TEXT = {b"PAR1": "Parquet", b"PK\x03\x04": "a zip archive", b"\x28\xb5\x2f\xfd": "zstd"}
_JSON_LINES = (".jsonl", ".ndjson")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


class Unreadable(ValueError):
    """A file that can't be read at all; the message names it and says why."""


@dataclass(slots=True)
class Block:
    """Lines of one file, each with its number. ``columns`` is there where they are rows of CSV.
    ``bad`` are lines that could not be taken in. ``read`` is how many bytes of the file were
    read so far."""

    file: str
    columns: Columns | None = None
    lines: list[tuple[int, bytes]] = field(default_factory=list)
    rows: list[tuple[int, Sequence[str]]] = field(default_factory=list)
    bad: list[tuple[int, str]] = field(default_factory=list)
    read: int = 0

    def __len__(self) -> int:
        return len(self.lines) + len(self.rows) + len(self.bad)


def blocks(path: Path, named: Mapping[str, str]) -> Iterator[Block]:
    """The blocks of a file. ``named`` are columns of CSV by what they hold. Raises
    ``Unreadable``."""
    csv.field_size_limit(LONGEST)
    with path.open("rb") as raw:
        stream: IO[bytes] = raw
        if raw.peek(2)[:2] == b"\x1f\x8b":
            stream = cast(IO[bytes], gzip.GzipFile(fileobj=raw))
        try:
            yield from _blocks(_Lines(stream, raw), str(path), named)
        except (EOFError, gzip.BadGzipFile, OSError) as error:
            raise Unreadable(f"{path}: {error}") from None


class _Lines:
    """Lines with their numbers; one that is too long is skipped and told of."""

    def __init__(self, stream: IO[bytes], raw: IO[bytes]) -> None:
        self._stream = stream
        self._raw = raw
        self._first: bytes | None = None
        self.number = 0
        self.bad: list[tuple[int, str]] = []

    @property
    def read(self) -> int:
        """Bytes of the file, packed as they are there; 0 where it is a pipe."""
        return self._raw.tell() if self._raw.seekable() else 0

    def first(self) -> bytes:
        """The first line that is not blank, empty where there is none; ``next`` gives it again."""
        if self._first is None:
            self._first = next((line for line in self if line.strip()), b"")
        return self._first

    def rest(self) -> bytes:
        """All that is left, the first line with it."""
        return (self._first or b"") + self._stream.read(LARGEST_DOCUMENT + 1)

    def again(self) -> Iterator[bytes]:
        """Every line from the first one that is not blank."""
        if self.first():
            yield self.first()
        yield from self

    def __iter__(self) -> Iterator[bytes]:
        while line := self._stream.readline(LONGEST + 1):
            self.number += 1
            if self.number == 1:
                line = line.removeprefix(_BOM)
            if len(line) > LONGEST:
                self._skip(line)
                self.bad.append((self.number, f"longer than {LONGEST // 1024**2} MiB"))
                continue
            yield line

    def _skip(self, line: bytes) -> None:
        while line and not line.endswith(b"\n"):
            line = self._stream.readline(LONGEST)


def _blocks(lines: _Lines, file: str, named: Mapping[str, str]) -> Iterator[Block]:
    first = lines.first().strip()
    _check_text(first, file)
    if not first and not lines.bad:
        raise Unreadable(f"{file}: has no lines")
    named_so = Path(file.removesuffix(".gz")).suffix in _JSON_LINES
    if named_so or (first.startswith(b"{") and first.endswith(b"}")):
        yield from _json_lines(lines, file)
    elif first.startswith((b"{", b"[")):
        yield _document(lines, file)
    else:
        yield from _csv(lines, file, named)


def _check_text(first: bytes, file: str) -> None:
    for start, name in _NOT_TEXT.items():
        if first.startswith(start):
            raise Unreadable(f"{file}: is {name}; write JSON lines or CSV, plain or as gzip")
    if first.startswith(_UTF16) or b"\0" in first:
        raise Unreadable(f"{file}: is no UTF-8 text")


def _json_lines(lines: _Lines, file: str) -> Iterator[Block]:
    block, size = Block(file), 0
    for line in lines.again():
        if line.isspace():
            continue
        block.lines.append((lines.number, line))
        size += len(line)
        if len(block.lines) >= BLOCK_LINES or size >= BLOCK_BYTES:
            yield _done(block, lines)
            block, size = Block(file), 0
    yield _done(block, lines)


def _done(block: Block, lines: _Lines) -> Block:
    block.bad, lines.bad = lines.bad, []
    block.read = lines.read
    return block


def _document(lines: _Lines, file: str) -> Block:
    number, text = lines.number, lines.rest()
    if len(text) > LARGEST_DOCUMENT:
        most = LARGEST_DOCUMENT // 1024**2
        raise Unreadable(f"{file}: a JSON document of more than {most} MiB; write JSON lines")
    block = Block(file, read=lines.read)
    try:
        if text.lstrip().startswith(b"["):
            items = msgspec.json.decode(text, type=list[msgspec.Raw])
            block.lines = [(n, bytes(item)) for n, item in enumerate(items, start=1)]
        else:
            block.lines = [(number, text)]
    except (msgspec.DecodeError, RecursionError) as error:
        block.bad = [(number, f"not JSON: {error}")]
    return block


def _csv(lines: _Lines, file: str, named: Mapping[str, str]) -> Iterator[Block]:
    head = lines.first().decode("utf-8", "surrogateescape")
    delimiter = max(",;\t|", key=head.count)
    texts = (line.decode("utf-8", "surrogateescape") for line in lines.again())
    reader = csv.reader(texts, delimiter=delimiter, strict=True)
    try:
        columns = columns_of(next(reader), named)
    except (BadLine, csv.Error) as error:
        raise Unreadable(f"{file}: {error}") from None
    block, size = Block(file, columns), 0
    while True:
        number = lines.number + 1
        try:
            row = next(reader, None)
        except csv.Error as error:
            lines.bad.append((number, f"not CSV: {error}"))
            continue
        if row is None:
            break
        if row:
            block.rows.append((number, row))
            size += sum(map(len, row))
        if len(block) + len(lines.bad) >= BLOCK_LINES or size >= BLOCK_BYTES:
            yield _done(block, lines)
            block, size = Block(file, columns), 0
    yield _done(block, lines)
