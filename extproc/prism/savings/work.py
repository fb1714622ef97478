"""A block of lines to a tally: what one process of several does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from prism.savings.line import read_line
from prism.savings.reading import Block
from prism.savings.routed import Router
from prism.savings.rows import read_row
from prism.savings.tally import MOST_REASONS, OTHERS, Tally
from prism.savings.usage import BadLine, LeftOut, Usage


@dataclass(slots=True)
class Counted:
    """The sums of a block, and its bad lines: number and reason."""

    tally: Tally = field(default_factory=Tally)
    bad: list[tuple[int, str]] = field(default_factory=list)


def count(block: Block, router: Router) -> Counted:
    """Read and price every line of a block; a bad one is named and costs only itself."""
    counted = Counted()
    tally = counted.tally
    tally.lines = len(block)
    for number, reason in block.bad:
        _bad(counted, number, reason)
    for number, line in block.lines:
        try:
            # Whole before anything is counted: a line counts or is bad, never both.
            _add(list(read_line(line)), router, tally)
        except BadLine as bad:
            _bad(counted, number, str(bad))
    columns = block.columns
    for number, row in block.rows if columns is not None else ():
        try:
            _add([read_row(row, columns)], router, tally)  # type: ignore[arg-type]
        except BadLine as bad:
            _bad(counted, number, str(bad))
    return counted


def _add(said: Iterable[Usage | LeftOut], router: Router, tally: Tally) -> None:
    for usage in said:
        if isinstance(usage, LeftOut):
            tally.left_out[usage.why] += 1
        else:
            router.count(usage, tally)


def _bad(counted: Counted, number: int, reason: str) -> None:
    counted.bad.append((number, reason))
    known = counted.tally.bad
    known[reason if reason in known or len(known) < MOST_REASONS else OTHERS] += 1
