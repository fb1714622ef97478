"""The figures of ``prism savings`` as lines for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from prism.routing.catalog import MODES
from prism.routing.cost import usd
from prism.savings.figures import Row, Savings, saved
from prism.savings.tally import Tally

_MODELS = 12
"""Models that are shown apart; the page has all."""
_NAMED = 5
_PLAIN = 0.0001
"""Below it Python writes numbers with an exponent."""


def lines_of(savings: Savings) -> Iterator[str]:
    """The tables."""
    total, asked = savings.total, savings.total.asked
    share = asked.cached / asked.input if asked.input else 0.0
    yield (
        f"{asked.requests:,.0f} requests cost {dollars(asked.usd)} at list price: "
        f"{asked.input:,.0f} tokens in ({share:.0%} of them cached), {asked.output:,.0f} out."
    )
    yield ""
    yield from _table(
        ["", *MODES],
        [
            ["would have cost", *(dollars(total.modes[mode].usd) for mode in MODES)],
            ["saved", *(f"{total.saved(mode):.1%}" for mode in MODES)],
            ["saved, caches as warm", *(f"{warm_saved(total)[mode]:.1%}" for mode in MODES)],
        ],
    )
    yield ""
    yield from _rows("task", savings.by_task)
    yield ""
    yield from _rows("model", savings.by_model[:_MODELS])
    if (more := len(savings.by_model) - _MODELS) > 0:
        yield f"and {more} more models; --report has all"
    yield ""
    yield from assumptions(savings)


def warm_saved(row: Row) -> dict[str, float]:
    """The share saved where every cached token would have been cached by the other model, too."""
    return {mode: saved(row.asked.usd, row.modes[mode].warm_usd) for mode in MODES}


def assumptions(savings: Savings) -> Iterator[str]:
    """What the figures rest on, in words."""
    tally = savings.tally
    yield (
        f"In each mode's cost: {dollars(savings.classifier_usd)} for the classifier "
        f"({savings.classifier_ms:.2f} ms of a core a prompt)."
    )
    yield (
        "Tokens are as the log counts them: other models count and answer somewhat differently. "
        "Cached tokens pay in full where the model changes, but not in the line of warm caches."
    )
    if tally.unread:
        yield f"{tally.unread:,} requests without a prompt: their task was assumed."
    if tally.estimated:
        yield f"{tally.estimated:,} answers without usage: their tokens were guessed."
    for mode, number in sorted(tally.kept.items()):
        yield f"{number:,.0f} requests no model could take in {mode}: charged as they were."
    if tally.own_requests:
        yield (
            f"The log's own costs: {dollars(tally.own_usd)} for {tally.own_requests:,} requests, "
            f"list prices say {dollars(tally.own_priced_usd)}."
        )


def notes_of(tally: Tally, first: Sequence[str]) -> Iterator[str]:
    """What was not counted; ``first`` are places and reasons of the first bad lines."""
    yield from _counts("left out", tally.left_out)
    for model, number in tally.unpriced.most_common(_NAMED):
        yield f"note: {number:,} requests to {model!r} left out: nobody knows its price"
    if (more := len(tally.unpriced) - _NAMED) > 0:
        yield f"note: and requests to {more} more models without a price"
    if not (bad := tally.bad.total()):
        return
    yield from first
    yield f"{bad:,} of {tally.lines:,} lines could not be read:"
    yield from _counts("bad", tally.bad)


def _counts(what: str, reasons: Counter[str]) -> Iterator[str]:
    for reason, number in reasons.most_common(_NAMED):
        yield f"note: {number:,} {what}: {reason}"
    if len(reasons) > _NAMED:
        rest = sum(reasons.values()) - sum(n for _, n in reasons.most_common(_NAMED))
        yield f"note: {rest:,} {what} for {len(reasons) - _NAMED} other reasons"


def _rows(name: str, rows: Sequence[Row]) -> Iterator[str]:
    yield from _table(
        [name, "requests", "cost", *MODES],
        [
            [
                row.name[:40],
                f"{row.asked.requests:,.0f}",
                dollars(row.asked.usd),
                *(f"{dollars(row.modes[mode].usd)} ({-row.saved(mode):+.0%})" for mode in MODES),
            ]
            for row in rows
        ],
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        first, *rest = row
        cells = [f"{cell:>{width}}" for cell, width in zip(rest, widths[1:], strict=True)]
        yield "  ".join([f"{first:<{widths[0]}}", *cells]).rstrip()


def dollars(amount: float) -> str:
    """US dollars with cents, with more digits where cents say nothing."""
    if amount >= 1 or amount == 0:
        return f"${amount:,.2f}"
    return f"${amount:.3g}" if amount >= _PLAIN else usd(amount)
