"""A simulation as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prism.simulate.difference import Difference, Sum

_MOVES = 12
"""Moves that are written out; JSON has all."""


def lines(found: Difference) -> Iterator[str]:
    """What moves, what it costs and how good it is: in all, then by project, task, mode, move."""
    total = found.total
    share = total.moved / total.decisions if total.decisions else 0.0
    yield f"{total.decisions:,} decisions made again: {total.moved:,} ({share:.1%}) would move"
    if found.refused or found.unrefused:
        yield f"{found.refused:,} would be refused, {found.unrefused:,} no longer"
    yield from sums_of(found)
    yield from notes(found)


def sums_of(found: Difference) -> Iterator[str]:
    """The sums by project, task, mode and move, and examples of moves."""
    yield ""
    total = found.total
    moves = found.largest_moves()
    named = {f"{_name(a)} → {_name(b)}": total for (a, b), total in moves[:_MOVES]}
    sections = [
        ("", {"all": total}),
        ("project", found.projects),
        ("task", found.tasks),
        ("mode", found.modes),
        ("move", named),
    ]
    width = max(12, *(len(name) for _, sums in sections for name in sums))
    yield f"{'':8} {'':{width}} {'decisions':>10} {'move':>8}  {'cost':32}  quality"
    for title, sums in sections:
        yield from _section(title, sums, width)
    if len(moves) > _MOVES:
        yield f"and {len(moves) - _MOVES} other moves: --output json has them"
    yield from _examples(found)


def _name(model: str | None) -> str:
    return "refused" if model is None else model


def _section(title: str, sums: Mapping[str, Sum], width: int) -> Iterator[str]:
    ordered = sorted(sums.items(), key=lambda item: -item[1].decisions)
    for place, (name, total) in enumerate(ordered):
        quality = "unknown"
        if total.graded:
            before, after = total.quality_before, total.quality_after
            quality = (
                f"{before / total.graded:.3f} → {after / total.graded:.3f} "
                f"({total.quality_change:+.1%})"
            )
        cost = f"${total.cost_before:,.4f} → ${total.cost_after:,.4f} ({_percent(total)})"
        yield (
            f"{title if not place else '':8} {name:{width}} {total.decisions:>10,} "
            f"{total.moved:>8,}  {cost:32}  {quality}".rstrip()
        )


def _percent(total: Sum) -> str:
    change = total.cost_change
    return "from nothing" if change == float("inf") else f"{change:+.1%}"


def _examples(found: Difference) -> Iterator[str]:
    if not found.examples:
        return
    yield ""
    yield 'Examples ("prism explain ID" says why they went where they went):'
    for (before, after), _ in found.largest_moves()[:_MOVES]:
        for one in found.examples[before, after]:
            yield f"  {one.decision_id}  {one.task}, {one.mode}: {_name(before)} → {_name(after)}"
            yield f"    now: {one.why}"


def notes(found: Difference) -> Iterator[str]:
    """What the figures are, and what is not in them."""
    yield ""
    yield (
        "Cost is by list price, of the tokens of the answers that were given; quality is the "
        "table's number for the task."
    )
    if found.unpriced:
        yield f"{found.unpriced:,} decisions have no known price, then or now: not in the costs."
    for reason, number in sorted(found.untold.items()):
        yield f"{number:,} decisions can't be made again: {reason}."
